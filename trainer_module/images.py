"""The one image decoder: from a photo's bytes to the canonical image, and on to network input.

Transform, training, evaluation and serving call the same functions, all of them graphs of stock
TensorFlow ops, so that none can see other pixels than the rest. Not for random changes to training
images: `augmentation.py`.

- Canonical image: upright, RGB, uint8 [H, W, 3]; its shorter side is at most `size`. The longer
  side follows from the aspect ratio and has no bound of its own.
- Formats: JPEG, PNG, BMP (uncompressed) and GIF (its first frame), told apart by content.
- Of the ways to turn an image upright only the EXIF orientation of JPEG files is followed.
- Transparent pixels are blended with white, except in a GIF, where TensorFlow makes them black.
"""

from __future__ import annotations

import functools

import tensorflow as tf

from trainer_module import exif

# Photos beyond these would fill the memory, and no camera makes them. JPEGs are decoded at a
# reduced size, so what counts for the second limit is what comes out of the decoder.
MAX_PIXELS = 2**28
MAX_DECODED_PIXELS = 2**26

# The shorter side of what the JPEG decoder returns, in multiples of the canonical size. Its own
# reduction is a crude filter; from twice the size on, the bicubic filter that follows decides: the
# result is within 44.8 dB PSNR of decoding the photo whole, where once the size gives 33 dB.
OVERSAMPLING = 2
JPEG_RATIOS = (1, 2, 4, 8)

# The evaluation protocol of EfficientNet at 224 pixels, 224 / (224 + 32), taken at every size: the
# smaller squares that it would give small sizes find fewer neighbours of the right class.
CENTRAL_CROP = 0.875

# zlib's fastest level: more takes several times as long, for files a tenth smaller at best.
PNG_COMPRESSION = 1

SIGNATURES = {"JPEG": b"\xff\xd8\xff", "PNG": b"\x89PNG\r\n\x1a\n", "GIF": b"GIF8", "BMP": b"BM"}

Decoded = tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]


def canonical(image_bytes: tf.Tensor, size: int) -> tf.Tensor:
    """Decodes one photo to its canonical image.

    Args:
        image_bytes: The file's content, string, scalar.
        size: What the shorter side is reduced to, in pixels, keeping the aspect ratio (the longer
            side is rounded to whole pixels). A photo that is smaller stays as it is.

    Returns:
        uint8 [H, W, 3], RGB, upright.

    Raises:
        ValueError: size < 1.
        tf.errors.InvalidArgumentError: when run, if the bytes are no image of a known format, are
            cut short or damaged, or are an image of too many pixels.
    """
    if size < 1:
        raise ValueError(f"size must be at least 1, got {size}")
    data = tf.convert_to_tensor(image_bytes, tf.string)
    starts = [tf.strings.substr(data, 0, len(magic)) == magic for magic in SIGNATURES.values()]
    decoders = [functools.partial(_decode_jpeg, data, size)] + [
        functools.partial(decode, data) for decode in (_decode_png, _decode_gif, _decode_bmp)
    ]
    image, full, ratio, orientation = tf.switch_case(
        # The position of the signature that fits, or the number of signatures.
        tf.argmax(tf.stack([*starts, tf.constant(True)]), output_type=tf.int32),
        [*decoders, functools.partial(_refuse, data)],
    )
    short = tf.reduce_min(full)

    def shrink() -> tf.Tensor:
        shape = tf.cast((2 * full * size + short) // (2 * short), tf.int32)
        # Not the decoded shape: the decoder's own reduction rounds that up to whole pixels.
        extent = tf.cast(full, tf.float32) / tf.cast(ratio, tf.float32)
        resized = resample(image, tf.zeros([2]), extent, shape)
        return tf.cast(tf.round(resized), tf.uint8)

    return _upright(tf.cond(short > size, shrink, lambda: image), orientation)


def encode_png(image: tf.Tensor) -> tf.Tensor:
    """Stores a canonical image without loss.

    Args:
        image: uint8 [H, W, 3].

    Returns:
        string, scalar.
    """
    return tf.io.encode_png(image, compression=PNG_COMPRESSION)


def decode_canonical(stored: tf.Tensor) -> tf.Tensor:
    """Takes back what `encode_png` stored: string scalar to uint8 [H, W, 3]."""
    return tf.io.decode_png(stored, channels=3)


def to_network_input(image: tf.Tensor, size: int) -> tf.Tensor:
    """Takes the central square of a canonical image at the size of the network's input.

    The square is `CENTRAL_CROP` of the shorter side, wherever that lies: smaller canonical images
    are enlarged, larger ones reduced, and what the network sees of the photo stays the same.

    Args:
        image: uint8 [H, W, 3].
        size: Side of the network's input in pixels.

    Returns:
        float32 [size, size, 3] in 0 … 255.
    """
    shape = tf.cast(tf.shape(image)[:2], tf.float32)
    side = CENTRAL_CROP * tf.reduce_min(shape)
    return resample(image, (shape - side) / 2.0, tf.stack([side, side]), [size, size])


def resample(image: tf.Tensor, origin: tf.Tensor, extent: tf.Tensor, shape: tf.Tensor) -> tf.Tensor:
    """Resizes a rectangle of an image with a bicubic filter, widened where it reduces.

    Edges need not lie between pixels; what lies outside the rectangle but within the image takes
    part in the filter.

    Args:
        image: uint8 or float32 [H, W, C].
        origin: Top and left edge in pixels, float32 [2].
        extent: Height and width in pixels, float32 [2].
        shape: Height and width of the result, int32 [2].

    Returns:
        float32 [*shape, C] in 0 … 255: where the filter overshoots, it is cut.
    """
    scale = tf.cast(shape, tf.float32) / extent
    # tf.image.resize is the same op without the choice of a rectangle.
    resized = tf.raw_ops.ScaleAndTranslate(
        images=image[tf.newaxis],
        size=shape,
        scale=scale,
        translation=-origin * scale,
        kernel_type="keyscubic",
        antialias=True,
    )
    return tf.clip_by_value(resized[0], 0.0, 255.0)


def _decode_jpeg(data: tf.Tensor, size: int) -> Decoded:
    """Decodes a JPEG, reduced by the decoder while that leaves `OVERSAMPLING` times `size`.

    The decoder reduces by computing fewer pixels of each block of 8 × 8, which for large photos
    saves most of the memory and of the time.

    Returns:
        The image, uint8 [h, w, 3]; height and width of the photo, int64 [2]; by what the image is
        smaller than that, int32; EXIF orientation, int64.
    """
    full = tf.image.extract_jpeg_shape(data, output_type=tf.int64)[:2]
    ratios = tf.constant(JPEG_RATIOS, tf.int64)
    choice = tf.reduce_sum(tf.cast(tf.reduce_min(full) // ratios >= OVERSAMPLING * size, tf.int32))
    choice = tf.maximum(choice - 1, 0)
    ratio = tf.gather(ratios, choice)
    data = _checked(data, full, (full + ratio - 1) // ratio)
    decoders = [
        functools.partial(
            tf.io.decode_jpeg, data, channels=3, ratio=fixed, dct_method="INTEGER_ACCURATE"
        )
        for fixed in JPEG_RATIOS
    ]
    return tf.switch_case(choice, decoders), full, tf.cast(ratio, tf.int32), exif.orientation(data)


def _decode_png(data: tf.Tensor) -> Decoded:
    """Decodes a PNG, blended with white; see `_decode_jpeg` for what is returned."""
    header = exif.read(data, 16, 10)
    big = tf.constant(False)
    full = tf.stack([exif.number(header[4:8], big), exif.number(header[:4], big)])
    depth, color_type = header[8], header[9]
    data = _checked(data, full, full)
    # Asking for four channels also brings a color declared transparent. Not for palettes and
    # packed gray, where TensorFlow takes the depth's largest value, not 255, for opaque.
    image = tf.cond(
        (depth < 8) | (color_type == 3),
        lambda: tf.io.decode_png(data, channels=0),
        lambda: tf.io.decode_png(data, channels=4),
    )
    alpha_channels = 1 - tf.shape(image)[2] % 2
    color = image[..., : tf.shape(image)[2] - alpha_channels]

    def blend() -> tf.Tensor:
        alpha = tf.cast(image[..., -1:], tf.uint16)
        white = 255 * (255 - alpha)
        return tf.cast((tf.cast(color, tf.uint16) * alpha + white + 127) // 255, tf.uint8)

    transparent = (alpha_channels == 1) & (tf.reduce_min(image[..., -1]) < 255)
    return _whole(tf.cond(transparent, blend, lambda: color))


def _decode_gif(data: tf.Tensor) -> Decoded:
    """Decodes a GIF's first frame; see `_decode_jpeg` for what is returned."""
    header = exif.read(data, 6, 4)
    little = tf.constant(True)
    full = tf.stack([exif.number(header[2:4], little), exif.number(header[:2], little)])
    data = _checked(data, full, full)
    # tf.io.decode_gif would expand the whole animation.
    return _whole(tf.io.decode_image(data, channels=3, expand_animations=False))


def _decode_bmp(data: tf.Tensor) -> Decoded:
    """Decodes a BMP; see `_decode_jpeg` for what is returned.

    TensorFlow's op takes palette entries for gray, and compressed data for pixels, so that the
    former is mended here and the latter refused. Its fourth channel is padding, not opacity.
    """
    little = tf.constant(True)
    header = exif.read(data, 14, 20)
    header_size, depth = exif.number(header[:4], little), exif.number(header[14:16], little)
    plain = (header_size >= 40) & (header_size <= 124) & (exif.number(header[16:], little) == 0)
    check = tf.debugging.Assert(
        plain & tf.reduce_any(depth == [8, 24, 32]),
        ["BMP image is compressed, or not of 8, 24 or 32 bits a pixel; bits:", depth],
    )
    with tf.control_dependencies(_operations(check)):
        image = tf.io.decode_bmp(data, channels=0)

    def look_up() -> tf.Tensor:
        # Entries are blue, green, red and a byte of padding.
        table = tf.reshape(exif.read(data, 14 + header_size, 1024), [256, 4])
        table = tf.reverse(table[:, :3], [1])
        return tf.gather(tf.cast(table, tf.uint8), tf.cast(image[..., 0], tf.int32))

    return _whole(tf.cond(depth == 8, look_up, lambda: image[..., :3]))


def _whole(image: tf.Tensor) -> Decoded:
    """What the decoders that neither reduce nor know an orientation return of their image."""
    image = tf.broadcast_to(image, tf.concat([tf.shape(image)[:2], [3]], axis=0))
    full = tf.shape(image, out_type=tf.int64)[:2]
    return image, full, tf.constant(1), tf.constant(1, tf.int64)


def _refuse(data: tf.Tensor) -> Decoded:
    """Raises because the format is not known."""
    check = tf.debugging.Assert(
        False,
        [
            f"image is none of {', '.join(SIGNATURES)}; its length in bytes:",
            tf.strings.length(data),
        ],
    )
    with tf.control_dependencies(_operations(check)):
        return _whole(tf.zeros([1, 1, 3], tf.uint8))


def _checked(data: tf.Tensor, full: tf.Tensor, decoded: tf.Tensor) -> tf.Tensor:
    """Returns `data` unless its pixels, int64 [2] before and after decoding, are too many."""
    few = (tf.reduce_prod(full) <= MAX_PIXELS) & (tf.reduce_prod(decoded) <= MAX_DECODED_PIXELS)
    check = tf.debugging.Assert(few, ["image has too many pixels; height and width:", full])
    with tf.control_dependencies(_operations(check)):
        return tf.identity(data)


def _operations(check: tf.Operation | None) -> list[tf.Operation]:
    # Run eagerly, an assertion is over when it returns, and returns nothing.
    return [] if check is None else [check]


def _upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Undoes an EXIF orientation: 2 … 4 mirror one axis or both, 5 … 8 also swap the axes."""
    image = tf.cond(orientation >= 5, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    rows = tf.reduce_any(orientation == [3, 4, 7, 8])
    columns = tf.reduce_any(orientation == [2, 3, 6, 7])
    return tf.ensure_shape(
        tf.reverse(image, tf.boolean_mask([0, 1], tf.stack([rows, columns]))), [None, None, 3]
    )
