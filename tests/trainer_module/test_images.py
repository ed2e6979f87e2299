"""The decoder against PIL, its resampling against float64 NumPy, and what it must refuse."""

from __future__ import annotations

import functools
import io
import pathlib
import re
import struct
import time
from collections.abc import Callable
from typing import Any

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies
from PIL import Image, ImageOps

from trainer_module import images

LARGE = 4096
ORIENTATION = 0x0112
SHORT, LONG, ASCII = 3, 4, 2


@functools.cache
def _graph(size: int) -> Callable[[bytes], tf.Tensor]:
    return tf.function(
        lambda data: images.canonical(data, size),
        input_signature=[tf.TensorSpec([], tf.string)],
    )


@pytest.fixture(scope="module", autouse=True)
def _no_graphs_at_exit():
    yield
    # TensorFlow complains about those that the interpreter's shutdown destroys.
    _graph.cache_clear()


def _canonical(data: bytes, size: int = LARGE) -> np.ndarray:
    return _graph(size)(data).numpy()


def _save(image: Image.Image, file_format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def _photo(height: int, width: int) -> Image.Image:
    """Gradients, edges, texture and a little noise: no two corners alike."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    waves = np.stack([np.sin(9 * x + 4 * y), np.cos(31 * x * y + 2), np.sin(60 * (x - y) ** 2)])
    edges = ((x * 7 % 1 > 0.4) ^ (y * 5 % 1 > 0.6)) & (x + y > 0.4)
    noise = np.random.default_rng(0).normal(size=(3, height, width))
    pixels = 110 + 60 * waves + 50 * edges + 4 * noise + 60 * (x - y)
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8).transpose(1, 2, 0))


def _keys_cubic(x: np.ndarray) -> np.ndarray:
    """The cubic convolution kernel of Keys (1981) with a = -1/2."""
    x = np.abs(x)
    inner, outer = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, inner, np.where(x < 2, outer, 0.0))


def _weights(pixels: int, origin: float, extent: float, count: int) -> np.ndarray:
    step = extent / count
    centers = origin + (np.arange(count) + 0.5) * step
    weights = _keys_cubic((np.arange(pixels) + 0.5 - centers[:, None]) / max(step, 1.0))
    return weights / weights.sum(axis=1, keepdims=True)


def _resample(
    image: np.ndarray,
    shape: tuple[int, int],
    origin: tuple[float, float] = (0.0, 0.0),
    extent: tuple[float, float] | None = None,
) -> np.ndarray:
    extent = extent or (float(image.shape[0]), float(image.shape[1]))
    rows = _weights(image.shape[0], origin[0], extent[0], shape[0])
    columns = _weights(image.shape[1], origin[1], extent[1], shape[1])
    resized = np.einsum("ab,bcd,ec->aed", rows, image.astype(np.float64), columns, optimize=True)
    return np.clip(resized, 0, 255)


def _tiff(entries: list[tuple[int, int, int]], *, little: bool, directory: int = 8) -> bytes:
    """The content of an EXIF segment with one directory at an offset of one's choice."""
    order = "<" if little else ">"
    data = struct.pack(f"{order}2sHI", b"II" if little else b"MM", 42, directory)
    data = data.ljust(directory, b"\xff") + struct.pack(f"{order}H", len(entries))
    for tag, kind, value in entries:
        data += struct.pack(f"{order}HHI", tag, kind, 1)
        data += struct.pack(f"{order}I" if kind == LONG else f"{order}Hxx", value)
    return data + bytes(4)


def _segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def _with_exif(jpeg: bytes, tiff: bytes, *, before: bytes = b"") -> bytes:
    return jpeg[:2] + before + _segment(0xE1, b"Exif\0\0" + tiff) + jpeg[2:]


JPEG = _save(_photo(24, 41), "JPEG", quality=95)
OTHER_TAGS = [(0x0100, LONG, 0x01120003), (0x010F, ASCII, 0x4142), (0x0111, SHORT, 3)]


@pytest.mark.parametrize("layout", ["plain", "tags_first", "odd_offset", "long"])
@pytest.mark.parametrize("little", [True, False], ids=["II", "MM"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_equals_pil(orientation: int, little: bool, layout: str):
    entry = (ORIENTATION, LONG if layout == "long" else SHORT, orientation)
    before = OTHER_TAGS if layout == "tags_first" else []
    directory = 37 if layout == "odd_offset" else 8
    tiff = _tiff([*before, entry, (0x0213, SHORT, 1)], little=little, directory=directory)
    data = _with_exif(JPEG, tiff)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    assert expected.shape == ((24, 41, 3) if orientation < 5 else (41, 24, 3))
    found = _canonical(data)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found.astype(int), expected, atol=2)


def test_orientation_is_found_behind_other_segments():
    before = _segment(0xE0, b"JFIF\0" + bytes(9)) + _segment(0xFE, b"a comment") + b"\xff\xff\xff"
    before += _segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>") + _segment(0xE1, b"Ex")
    data = _with_exif(JPEG, _tiff([(ORIENTATION, SHORT, 6)], little=False), before=before)
    np.testing.assert_array_equal(_canonical(data), np.rot90(_canonical(JPEG), -1))


def test_orientation_holds_for_reduced_images():
    tall = _photo(300, 200)
    jpeg = _save(tall.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=98, subsampling=0)
    found = _canonical(_with_exif(jpeg, _tiff([(ORIENTATION, SHORT, 6)], little=True)), 50)
    expected = _canonical(_save(tall, "PNG"), 50)
    assert found.shape == expected.shape == (75, 50, 3)
    assert np.abs(found.astype(int) - expected).mean() < 1.5


GOOD = _tiff([(ORIENTATION, SHORT, 6)], little=True)
MALFORMED = {
    "empty": b"",
    "header_cut": GOOD[:5],
    "directory_cut": GOOD[:9],
    "entry_cut": GOOD[:18],
    "unknown_byte_order": b"IM" + GOOD[2:],
    "not_42": GOOD[:2] + b"\x2b" + GOOD[3:],
    "directory_far_away": GOOD[:4] + b"\xff" * 4 + GOOD[8:],
    "value_0": _tiff([(ORIENTATION, SHORT, 0)], little=True),
    "value_9": _tiff([(ORIENTATION, SHORT, 9)], little=False),
    "value_large": _tiff([(ORIENTATION, LONG, 2**32 - 1)], little=False),
    "wrong_type": _tiff([(ORIENTATION, ASCII, 6)], little=True),
    "no_entries": _tiff([], little=True),
    "other_entries": _tiff(OTHER_TAGS, little=True),
}


@pytest.mark.parametrize("tiff", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_exif_is_ignored(tiff: bytes):
    np.testing.assert_array_equal(_canonical(_with_exif(JPEG, tiff)), _canonical(JPEG))


@hypothesis.given(
    strategies.lists(strategies.tuples(strategies.integers(0, 60), strategies.integers(0, 255)))
)
@hypothesis.settings(max_examples=150)
def test_damaged_exif_is_no_error(changes: list[tuple[int, int]]):
    tiff = bytearray(_tiff([*OTHER_TAGS, (ORIENTATION, SHORT, 8)], little=True))
    for position, value in changes:
        tiff[position % len(tiff)] = value
    assert sorted(_canonical(_with_exif(JPEG, bytes(tiff))).shape) == [3, 24, 41]


def test_time_for_a_jpeg_that_is_mostly_filling_is_bounded():
    filled = JPEG[:2] + b"\xff" * 3_000_000 + JPEG[2:]
    start = time.monotonic()
    np.testing.assert_array_equal(_canonical(filled), _canonical(JPEG))
    assert time.monotonic() - start < 20


def _on_white(image: Image.Image) -> np.ndarray:
    if image.mode in ("RGBA", "LA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"))


def _transparent() -> Image.Image:
    image = _photo(24, 41).convert("RGBA")
    ramp = np.tile(np.linspace(0, 255, 41).astype(np.uint8), (24, 1))
    image.putalpha(Image.fromarray(ramp))
    return image


def _files() -> dict[str, bytes]:
    photo, gray = _photo(24, 41), _photo(24, 41).convert("L")
    palette = photo.quantize(13)
    keyed = photo.copy()
    keyed.paste((1, 2, 3), (5, 5, 20, 20))
    deep = tf.constant(np.random.default_rng(3).integers(0, 2**16, (24, 41, 3)), tf.uint16)
    return {
        "jpeg": JPEG,
        "jpeg_gray": _save(gray, "JPEG"),
        "jpeg_cmyk": _save(photo.convert("CMYK"), "JPEG", quality=95),
        "jpeg_progressive": _save(photo, "JPEG", progressive=True),
        "png": _save(photo, "PNG"),
        "png_1_bit": _save(gray.convert("1"), "PNG"),
        "png_gray": _save(gray, "PNG"),
        "png_gray_alpha": _save(_transparent().convert("LA"), "PNG"),
        "png_alpha": _save(_transparent(), "PNG"),
        "png_palette": _save(palette, "PNG"),
        "png_palette_4_bit": _save(palette, "PNG", bits=4),
        "png_palette_transparent": _save(palette, "PNG", transparency=4),
        "png_color_transparent": _save(keyed, "PNG", transparency=(1, 2, 3)),
        "png_gray_transparent": _save(gray, "PNG", transparency=int(np.asarray(gray)[9, 9])),
        "png_16_bit": tf.io.encode_png(deep).numpy(),
        "gif": _save(palette, "GIF"),
        "bmp": _save(photo, "BMP"),
        "bmp_gray": _save(gray, "BMP"),
        "bmp_palette": _save(palette, "BMP"),
        "bmp_32_bit": _save(_transparent(), "BMP"),
    }


FILES = _files()


@pytest.mark.parametrize("name", FILES)
def test_formats_equal_pil(name: str):
    data = FILES[name]
    expected = _on_white(Image.open(io.BytesIO(data)))
    if name == "bmp_32_bit":  # The fourth byte of such a file is padding.
        expected = np.asarray(Image.open(io.BytesIO(data)))[..., :3]
    found = _canonical(data)
    assert found.shape == expected.shape == (24, 41, 3)
    tolerance = 2 if name.startswith("jpeg") else 1 if "alpha" in name else 0
    np.testing.assert_allclose(found.astype(int), expected, atol=tolerance)
    np.testing.assert_array_equal(images.canonical(tf.constant(data), LARGE), found)


def test_16_bit_gray_keeps_the_upper_byte():
    deep = np.random.default_rng(3).integers(0, 2**16, (5, 7, 1))
    found = _canonical(tf.io.encode_png(tf.constant(deep, tf.uint16)).numpy())
    np.testing.assert_array_equal(found, np.repeat(deep >> 8, 3, axis=2))


def test_an_animation_gives_its_first_frame():
    frames = [_photo(24, 41 + i).resize((41, 24)).quantize(8) for i in range(3)]
    data = _save(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(_canonical(data), np.asarray(frames[0].convert("RGB")))


@pytest.mark.parametrize(
    ("shape", "size", "expected"),
    [
        ((90, 135), 32, (32, 48)),
        ((135, 90), 32, (48, 32)),
        ((101, 150), 100, (100, 149)),
        ((97, 97), 13, (13, 13)),
        ((3, 300), 2, (2, 200)),
        ((400, 7), 1, (57, 1)),
    ],
)
def test_reduces_like_a_bicubic_filter(
    shape: tuple[int, int], size: int, expected: tuple[int, int]
):
    photo = _photo(*shape)
    found = _canonical(_save(photo, "PNG"), size)
    assert found.shape == (*expected, 3)
    reference = _resample(np.asarray(photo), expected)
    # Half a level for rounding, and what float32 adds to it.
    assert np.abs(found - reference).max() < 0.51
    pil = np.asarray(photo.resize(expected[::-1], Image.Resampling.BICUBIC))
    # PIL rounds twice, once after each axis.
    assert np.abs(found.astype(int) - pil).max() <= 2


@pytest.mark.parametrize("shape", [(24, 41), (1, 1), (1, 300), (64, 64)])
def test_never_enlarges(shape):
    photo = _photo(*shape)
    np.testing.assert_array_equal(_canonical(_save(photo, "PNG"), 64), np.asarray(photo))


@pytest.mark.parametrize("size", [25, 40, 75])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_large_jpegs_lose_nothing_by_reduced_decoding(size: int, subsampling: int, monkeypatch):
    photo = _photo(605, 811)
    data = _save(photo, "JPEG", quality=95, subsampling=subsampling)
    decoded = np.asarray(Image.open(io.BytesIO(data)))
    found = images.canonical(tf.constant(data), size).numpy()
    assert found.shape == (size, round(811 * size / 605), 3)
    error = found - _resample(decoded, found.shape[:2])
    assert 10 * np.log10(255**2 / np.mean(error**2)) > 40
    # A shift of the image by a tenth of a pixel would show here.
    gradient = np.gradient(_resample(decoded, found.shape[:2]), axis=(0, 1))
    for slope in gradient:
        assert abs((error * slope).sum() / (slope**2).sum()) < 0.02
    monkeypatch.setattr(images, "JPEG_RATIOS", (1,))
    whole = images.canonical(tf.constant(data), size).numpy()
    assert np.abs(whole - _resample(decoded, found.shape[:2])).max() < 2.5
    assert (whole != found).any(), "this image should have been decoded at a reduced size"


def _huge_jpeg() -> bytes:
    start = JPEG.index(b"\xff\xc0") + 5
    return JPEG[:start] + struct.pack(">HH", 60000, 60000) + JPEG[start + 4 :]


def _huge_png() -> bytes:
    return FILES["png"][:16] + struct.pack(">II", 12000, 12000) + FILES["png"][24:]


def _compressed_bmp() -> bytes:
    return FILES["bmp"][:30] + b"\x01" + FILES["bmp"][31:]


BAD = {
    "empty": (b"", "none of JPEG, PNG, GIF, BMP.*0"),
    "text": (b"<html>not found</html>", "none of JPEG, PNG, GIF, BMP.*22"),
    "zeros": (bytes(1000), "none of JPEG, PNG, GIF, BMP.*1000"),
    "webp": (b"RIFF\x10\0\0\0WEBPVP8 \0\0\0\0", "none of JPEG, PNG, GIF, BMP"),
    "jpeg_start": (JPEG[:3], "Invalid JPEG data, size 3"),
    "jpeg_header": (JPEG[:100], "Invalid JPEG data, size 100"),
    "jpeg_half": (JPEG[: len(JPEG) // 2], "Invalid JPEG data"),
    "jpeg_without_last_rows": (JPEG[:-40], "Invalid JPEG data"),
    "jpeg_garbage": (JPEG[:20] + bytes(range(256)) * 4, "Invalid JPEG data"),
    "jpeg_huge": (_huge_jpeg(), "too many pixels.*60000.*60000"),
    "png_start": (FILES["png"][:9], "Invalid PNG"),
    "png_half": (FILES["png"][:1500], "Invalid PNG data, size 1500"),
    "png_damaged": (FILES["png"][:200] + b"damage" + FILES["png"][206:], "Invalid PNG data"),
    "png_huge": (_huge_png(), "too many pixels.*12000.*12000"),
    "gif_start": (FILES["gif"][:5], "Invalid GIF data"),
    "gif_half": (FILES["gif"][:300], "Invalid GIF data"),
    "bmp_start": (b"BM", "BMP image is compressed, or not of 8, 24 or 32 bits"),
    "bmp_half": (FILES["bmp"][:1500], "Input size should match"),
    "bmp_1_bit": (_save(_photo(8, 8).convert("1"), "BMP"), "BMP image.*not of 8.*1"),
    "bmp_compressed": (_compressed_bmp(), "BMP image is compressed"),
    "bmp_header": (FILES["bmp"][:14] + b"\xff" * 4 + FILES["bmp"][18:], "BMP image is"),
    "bmp_flat": (FILES["bmp"][:18] + bytes(8) + FILES["bmp"][26:54], "must be"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_images_are_refused_with_the_reason(name: str):
    data, reason = BAD[name]
    for decode in (_graph(LARGE), lambda data: images.canonical(data, LARGE)):
        with pytest.raises(tf.errors.InvalidArgumentError) as caught:
            decode(tf.constant(data))
        assert re.search(reason, str(caught.value), re.DOTALL)


def test_a_size_of_nothing_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        images.canonical(tf.constant(JPEG), 0)


class _Decoder(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, files: tf.Tensor) -> dict[str, tf.Tensor]:
        def one(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            image = images.canonical(data, 16)
            return images.encode_png(image), images.to_network_input(image, 32)

        signature = (tf.TensorSpec([], tf.string), tf.TensorSpec([32, 32, 3], tf.float32))
        stored, inputs = tf.map_fn(one, files, fn_output_signature=signature)
        return {"stored": stored, "inputs": inputs}


def test_saved_model_equals_eager(tmp_path: pathlib.Path):
    tf.saved_model.save(_Decoder(), str(tmp_path))
    turned = _with_exif(JPEG, _tiff([(ORIENTATION, SHORT, 5)], little=False))
    files = [*FILES.values(), turned, _save(_photo(300, 200), "JPEG")]
    loaded = tf.saved_model.load(str(tmp_path))
    found = loaded(tf.constant(files))
    for i, data in enumerate(files):
        image = images.canonical(tf.constant(data), 16)
        np.testing.assert_array_equal(images.decode_canonical(found["stored"][i]), image)
        np.testing.assert_array_equal(found["inputs"][i], images.to_network_input(image, 32))
    with pytest.raises(tf.errors.InvalidArgumentError, match="none of JPEG"):
        loaded(tf.constant([JPEG, b"?"]))


@pytest.mark.parametrize("shape", [(1, 1), (1, 90), (33, 20)])
def test_storage_is_lossless(shape):
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3)).astype(np.uint8)
    for pixels in (image, np.zeros_like(image), np.asarray(_photo(*shape))):
        stored = images.encode_png(tf.constant(pixels))
        np.testing.assert_array_equal(images.decode_canonical(stored), pixels)
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(stored.numpy()))), pixels)


@pytest.mark.parametrize(("shape", "size"), [((64, 64), 128), ((90, 61), 24), ((50, 85), 50)])
def test_network_input_is_the_central_square(shape, size):
    pixels = np.asarray(_photo(*shape))
    side = min(shape) * 224 / 256
    origin = ((shape[0] - side) / 2, (shape[1] - side) / 2)
    found = images.to_network_input(tf.constant(pixels), size)
    assert found.dtype == tf.float32 and found.shape == (size, size, 3)
    expected = _resample(pixels, (size, size), origin, (side, side))
    np.testing.assert_allclose(found, expected, atol=0.02)


def test_network_input_stays_in_range():
    board = np.uint8(255) * (np.indices((20, 20)).sum(axis=0) // 3 % 2).astype(np.uint8)
    found = images.to_network_input(tf.constant(np.repeat(board[..., None], 3, 2)), 64).numpy()
    assert found.min() == 0.0 and found.max() == 255.0
    for level in (0, 77, 255):
        flat = tf.fill([9, 30, 3], tf.constant(level, tf.uint8))
        np.testing.assert_allclose(images.to_network_input(flat, 16), level, atol=1e-3)


def test_real_photos_equal_pil(shared_folder: pathlib.Path):
    folder = shared_folder / "data/tfds/oxford_flowers102/2.1.1"
    records = tf.data.TFRecordDataset(str(next(folder.glob("*-train.tfrecord-*"))))
    for record in records.take(50).as_numpy_iterator():
        example = tf.train.Example.FromString(record)
        data = example.features.feature["image"].bytes_list.value[0]
        pil = Image.open(io.BytesIO(data)).convert("RGB")
        np.testing.assert_allclose(_canonical(data).astype(int), np.asarray(pil), atol=2)
        expected = _resample(np.asarray(pil), (40, 40))
        assert np.abs(_canonical(data, 40) - expected).mean() < 0.5
