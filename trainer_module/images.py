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

# Photos beyond these would fill the memory, and no camera makes them. JPEGs are decoded at a
# reduced size, so what counts for the second limit is what comes out of the decoder.
MAX_PIXELS = 2**28
MAX_DECODED_PIXELS = 2**26

# The shorter side of what the JPEG decoder returns, in multiples of the canonical size. Its own
# reduction is a crude filter; from twice the size on, the bicubic filter that follows decides (the
# error against decoding it whole was below 45 dB PSNR, from once the size on up to 33 dB).
OVERSAMPLING = 2
JPEG_RATIOS = (1, 2, 4, 8)

# The evaluation protocol of EfficientNet at 224 pixels, 224 / (224 + 32), taken at every size: the
# smaller squares that it would give small sizes find fewer neighbours of the right class.
CENTRAL_CROP = 0.875

# More than any camera or editor writes before the pixels, and a bound on the time for others.
MAX_JPEG_SEGMENTS = 256

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
    return tf.switch_case(choice, decoders), full, tf.cast(ratio, tf.int32), _orientation(data)


def _decode_png(data: tf.Tensor) -> Decoded:
    """Decodes a PNG, blended with white; see `_decode_jpeg` for what is returned."""
    header = _read(data, 16, 10)
    big = tf.constant(False)
    full = tf.stack([_number(header[4:8], big), _number(header[:4], big)])
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
    header = _read(data, 6, 4)
    little = tf.constant(True)
    full = tf.stack([_number(header[2:4], little), _number(header[:2], little)])
    data = _checked(data, full, full)
    # tf.io.decode_gif would expand the whole animation.
    return _whole(tf.io.decode_image(data, channels=3, expand_animations=False))


def _decode_bmp(data: tf.Tensor) -> Decoded:
    """Decodes a BMP; see `_decode_jpeg` for what is returned.

    TensorFlow's op takes palette entries for gray, and compressed data for pixels, so that the
    former is mended here and the latter refused. Its fourth channel is padding, not opacity.
    """
    little = tf.constant(True)
    header = _read(data, 14, 20)
    header_size, depth = _number(header[:4], little), _number(header[14:16], little)
    plain = (header_size >= 40) & (header_size <= 124) & (_number(header[16:], little) == 0)
    check = tf.debugging.Assert(
        plain & tf.reduce_any(depth == [8, 24, 32]),
        ["BMP image is compressed, or not of 8, 24 or 32 bits a pixel; bits:", depth],
    )
    with tf.control_dependencies(_operations(check)):
        image = tf.io.decode_bmp(data, channels=0)

    def look_up() -> tf.Tensor:
        # Entries are blue, green, red and a byte of padding.
        table = tf.reshape(_read(data, 14 + header_size, 1024), [256, 4])[:, 2::-1]
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


def _orientation(jpeg: tf.Tensor) -> tf.Tensor:
    """Reads the EXIF orientation of a JPEG.

    Returns:
        1 … 8, int64; 1 (upright) if there is none or if it cannot be made out.
    """
    length = tf.cast(tf.strings.length(jpeg), tf.int64)

    def next_segment(position: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        head = _read(jpeg, position, 10)
        marker, size = head[1], head[2] * 256 + head[3]
        is_exif = (marker == 0xE1) & tf.reduce_all(head[4:] == list(b"Exif\0\0"))
        start = tf.minimum(position + 10, length)
        tiff = tf.where(is_exif, tf.strings.substr(jpeg, start, tf.maximum(size - 8, 0)), "")
        # Every case moves on. Pixels follow 0xDA, 0xD9 ends the file, and what is no marker at
        # all is damage. 0xFF fills; 0x01 and 0xD0 … 0xD8 stand without a segment.
        is_end = (head[0] != 0xFF) | tf.reduce_any(marker == [0x00, 0xD9, 0xDA])
        is_bare = (marker == 0x01) | ((marker >= 0xD0) & (marker <= 0xD8))
        step = tf.where(is_bare, tf.constant(2, tf.int64), tf.where(size < 2, length, 2 + size))
        step = tf.where(is_end, length, tf.where(marker == 0xFF, tf.constant(1, tf.int64), step))
        return position + step, tiff

    _, tiff = tf.while_loop(
        lambda position, tiff: (position < length) & (tf.strings.length(tiff) == 0),
        next_segment,
        (tf.constant(0, tf.int64), tf.constant("")),
        maximum_iterations=MAX_JPEG_SEGMENTS,
    )
    little = tf.strings.substr(tiff, 0, 2) == "II"
    header = _read(tiff, 0, 8)
    is_tiff = (little | (tf.strings.substr(tiff, 0, 2) == "MM")) & (
        _number(header[2:4], little) == 42
    )
    directory = _number(header[4:8], little)
    count = _number(_read(tiff, directory, 2), little)
    start = tf.minimum(directory + 2, tf.cast(tf.strings.length(tiff), tf.int64))
    # 12 bytes an entry: tag, type, count, value; a value shorter than 4 bytes stands at the left.
    entries = tf.io.decode_raw(tf.strings.substr(tiff, start, 12 * count), tf.uint8)
    entries = tf.reshape(entries[: tf.size(entries) // 12 * 12], [-1, 12])
    entries = tf.cast(entries, tf.int64)
    kind = _number(entries[:, 2:4], little)
    value = tf.where(
        kind == 3, _number(entries[:, 8:10], little), _number(entries[:, 8:12], little)
    )
    is_orientation = (_number(entries[:, :2], little) == 0x0112) & ((kind == 3) | (kind == 4))
    orientation = tf.reduce_max(tf.where(is_orientation, value, 0))
    # The largest of no values is the smallest int64, which is not an orientation either.
    is_valid = is_tiff & (orientation >= 1) & (orientation <= 8)
    return tf.where(is_valid, orientation, 1)


def _upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Undoes an EXIF orientation: 2 … 4 mirror one axis or both, 5 … 8 also swap the axes."""
    image = tf.cond(orientation >= 5, lambda: tf.transpose(image, [1, 0, 2]), lambda: image)
    rows = tf.reduce_any(orientation == [3, 4, 7, 8])
    columns = tf.reduce_any(orientation == [2, 3, 6, 7])
    return tf.ensure_shape(
        tf.reverse(image, tf.boolean_mask([0, 1], tf.stack([rows, columns]))), [None, None, 3]
    )


def _read(data: tf.Tensor, position: tf.Tensor | int, count: int) -> tf.Tensor:
    """Takes `count` bytes from `position`, zeros where the string has ended: int64 [count]."""
    end = tf.cast(tf.strings.length(data), tf.int64)
    start = tf.minimum(tf.cast(position, tf.int64), end)
    part = tf.strings.substr(data, start, tf.constant(count, tf.int64))
    return tf.cast(tf.io.decode_raw(part, tf.uint8, fixed_length=count), tf.int64)


def _number(digits: tf.Tensor, little: tf.Tensor) -> tf.Tensor:
    """Unsigned integers from their bytes: int64 [..., n] to int64 [...]."""
    powers = tf.constant([256**i for i in range(digits.shape[-1])], tf.int64)
    return tf.reduce_sum(digits * tf.where(little, powers, powers[::-1]), axis=-1)
