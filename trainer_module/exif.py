"""EXIF orientation of a JPEG, in graph, with TensorFlow's string ops alone.

TensorFlow's decoders ignore the orientation, and a served graph cannot call anything else. Also
the reading of bytes and numbers out of a string that this needs. Turning the image is the business
of `images.py`.
"""

from __future__ import annotations

import tensorflow as tf

# More than any camera or editor writes before the pixels, and a bound on the time for others.
MAX_JPEG_SEGMENTS = 256


def orientation(jpeg: tf.Tensor) -> tf.Tensor:
    """Reads the EXIF orientation of a JPEG.

    Returns:
        1 … 8, int64; 1 (upright) if there is none or if it cannot be made out.
    """
    length = tf.cast(tf.strings.length(jpeg), tf.int64)

    def next_segment(position: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        head = read(jpeg, position, 10)
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
    header = read(tiff, 0, 8)
    is_tiff = (little | (tf.strings.substr(tiff, 0, 2) == "MM")) & (
        number(header[2:4], little) == 42
    )
    directory = number(header[4:8], little)
    count = number(read(tiff, directory, 2), little)
    start = tf.minimum(directory + 2, tf.cast(tf.strings.length(tiff), tf.int64))
    # 12 bytes an entry: tag, type, count, value; a value shorter than 4 bytes stands at the left.
    entries = tf.io.decode_raw(tf.strings.substr(tiff, start, 12 * count), tf.uint8)
    entries = tf.reshape(entries[: tf.size(entries) // 12 * 12], [-1, 12])
    entries = tf.cast(entries, tf.int64)
    kind = number(entries[:, 2:4], little)
    value = tf.where(kind == 3, number(entries[:, 8:10], little), number(entries[:, 8:12], little))
    is_orientation = (number(entries[:, :2], little) == 0x0112) & ((kind == 3) | (kind == 4))
    found = tf.reduce_max(tf.where(is_orientation, value, 0))
    # The largest of no values is the smallest int64, which is not an orientation either.
    is_valid = is_tiff & (found >= 1) & (found <= 8)
    return tf.where(is_valid, found, 1)


def read(data: tf.Tensor, position: tf.Tensor | int, count: int) -> tf.Tensor:
    """Takes `count` bytes from `position`, zeros where the string has ended: int64 [count]."""
    end = tf.cast(tf.strings.length(data), tf.int64)
    start = tf.minimum(tf.cast(position, tf.int64), end)
    part = tf.strings.substr(data, start, tf.constant(count, tf.int64))
    return tf.cast(tf.io.decode_raw(part, tf.uint8, fixed_length=count), tf.int64)


def number(digits: tf.Tensor, little: tf.Tensor) -> tf.Tensor:
    """Unsigned integers from their bytes: int64 [..., n] to int64 [...]."""
    powers = tf.constant([256**i for i in range(digits.shape[-1])], tf.int64)
    return tf.reduce_sum(digits * tf.where(little, powers, powers[::-1]), axis=-1)
