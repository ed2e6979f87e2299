"""Strategies for hypothesis: requests and images that are almost right, or not at all.

Not for what a server must make of them: `test_fuzz.py`.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st
from PIL import Image

_PNG_START = 8
# What fields of one, two or four bytes are set to: least, greatest, and where signs change.
_EXTREMES = [0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF]
_EXTREMES += [0x1_0000, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF]

_TOKENS = [
    *'{}[]:,"\\ \n\t\x00',
    *('"instances"', '"inputs"', '"signature_name"', '"examples"', '"context"', '"b64"', '"x"'),
    *("NaN", "Infinity", "-Infinity", "true", "false", "null", "Inf", "nan"),
    *("0", "-0", "1", "-1", "1.", ".5", "1e", "1e5", "1e999", "-1e-999", "01", "0x1", "9" * 30),
    *(
        '"\\ud800"',
        '"\\udc00\\ud800"',
        '"\\u0000"',
        '"\\x"',
        '"AA=="',
        '"a": 1',
        "\ufeff",
        "\u2028",
    ),
    *('{"b64": "AA=="}', "[[[[", "]]]]", '{"x": [1.0]}', "//", "/* */", "'x'"),
]

_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**66), 2**66),
    st.sampled_from([10**400, -(10**25), 2**31, 2**32, 2**63, 2**64]),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["\ud800", "\udfff\ud800", "\0"]),
    st.fixed_dictionaries({"b64": st.text("AB=/+ \n*", max_size=8) | st.integers()}),
)
VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["x", "a", "b", "b64", "", "\ud800"]), inner, max_size=3)
    ),
    max_leaves=8,
)


def token_soup() -> st.SearchStrategy[bytes]:
    """Texts of the pieces that requests consist of, in any order."""
    return st.lists(st.sampled_from(_TOKENS), max_size=25).map(lambda t: "".join(t).encode())


@st.composite
def changed(draw: Callable, documents: Sequence[dict]) -> dict:
    """One of some JSON objects, with values put into it, or taken out, anywhere."""
    import copy

    document = copy.deepcopy(draw(st.sampled_from(list(documents))))
    for _ in range(draw(st.integers(1, 3))):
        _change(draw, document)
    return document


def _change(draw: Callable, node: Any) -> None:
    """Goes down to somewhere, and changes what is there."""
    while isinstance(node, (dict, list)) and node:
        keys = sorted(node) if isinstance(node, dict) else range(len(node))
        key = draw(st.sampled_from(list(keys)))
        deeper = isinstance(node[key], (dict, list)) and node[key] and draw(st.booleans())
        if deeper:
            node = node[key]
            continue
        kind = draw(st.sampled_from(["replace", "remove", "add", "nest", "repeat"]))
        if kind == "remove":
            del node[key]
        elif kind == "nest":
            node[key] = [node[key]] if draw(st.booleans()) else {"x": node[key]}
        elif kind == "repeat" and isinstance(node, list):
            node.extend([node[key]] * draw(st.integers(1, 50)))
        elif kind == "add" and isinstance(node, dict):
            names = ["instances", "inputs", "signature_name", "examples", "context", "x", "\ud800"]
            node[draw(st.sampled_from(names))] = draw(VALUES)
        else:
            node[key] = draw(VALUES)
        return


@st.composite
def damaged(draw: Callable, contents: Sequence[bytes]) -> bytes:
    """One of some byte strings, cut, overwritten, spliced with another, or several of these."""
    data = bytearray(draw(st.sampled_from(list(contents))))
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["cut", "byte", "field", "insert", "remove", "splice", "copy"]))
        at = draw(st.integers(0, max(0, len(data) - 1)))
        length = draw(st.integers(0, 40))
        if kind == "cut":
            del data[at:]
        elif kind == "byte" and data:
            data[at] = draw(st.integers(0, 255))
        elif kind == "field":
            layout = draw(st.sampled_from(["B", "<H", ">H", "<I", ">I"]))
            size = struct.calcsize(layout)
            value = draw(st.sampled_from(_EXTREMES)) % 256**size
            data[at : at + size] = struct.pack(layout, value)
        elif kind == "insert":
            data[at:at] = draw(st.binary(max_size=20))
        elif kind == "remove":
            del data[at : at + length]
        elif kind == "splice":
            other = draw(st.sampled_from(list(contents)))
            data[at:] = other[at:]
        else:
            data[at:at] = data[at : at + length]
    return bytes(data)


def with_right_checksums(png: bytes) -> bytes:
    """A PNG whose chunks have the checksums that fit them: behind these lies the rest of libpng."""
    data, at = bytearray(png), _PNG_START
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        end = at + 8 + length
        if end + 4 > len(data):
            break
        data[end : end + 4] = struct.pack(">I", zlib.crc32(data[at + 4 : end]))
        at = end + 4
    return bytes(data)


def photos() -> list[bytes]:
    """Small images of every format and most of its variants, and some of impossible sizes."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    color = Image.fromarray(pixels)
    gray = color.convert("L")
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = [Image.fromarray(np.roll(pixels, shift, 1)) for shift in (3, 6)]
    kinds: list[tuple[Image.Image, str, dict[str, Any]]] = [
        (color, "jpeg", {}),
        (color, "jpeg", {"progressive": True, "quality": 30}),
        (color, "jpeg", {"exif": exif, "subsampling": 2}),
        (gray, "jpeg", {}),
        (color.convert("CMYK"), "jpeg", {}),
        (color.resize((300, 200)), "jpeg", {"quality": 5}),
        (color, "png", {}),
        (color.convert("RGBA"), "png", {}),
        (color.convert("P"), "png", {"transparency": 3}),
        (color.convert("LA"), "png", {}),
        (gray.convert("1"), "png", {}),
        (Image.fromarray(pixels[..., 0].astype(np.uint16) * 257), "png", {}),
        (color, "gif", {}),
        (color, "gif", {"save_all": True, "append_images": frames, "transparency": 2}),
        (color, "bmp", {}),
        (gray, "bmp", {}),
        (color.convert("RGBA"), "bmp", {}),
    ]
    found = [_encoded(*kind) for kind in kinds]
    jpeg, png, gif, bmp = found[0], found[6], found[12], found[14]
    for side in (16384, 0xFFFF):
        start = jpeg.index(b"\xff\xc0")
        found.append(jpeg[: start + 5] + struct.pack(">HH", side, side) + jpeg[start + 9 :])
        found.append(with_right_checksums(png[:16] + struct.pack(">II", side, side) + png[24:]))
        found.append(gif[:6] + struct.pack("<HH", side, side) + gif[10:])
        found.append(bmp[:18] + struct.pack("<ii", side, -side) + bmp[26:])
    return found


def _encoded(image: Image.Image, kind: str, options: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def paths() -> st.SearchStrategy[bytes]:
    """Targets of requests, of the pieces that URLs consist of and of any other bytes."""
    pieces = st.sampled_from(
        [
            *(b"/", b"//", b"/v1", b"/v1/", b"/V1/", b"/models", b"/models/", b"zoo", b"nope"),
            *(b"/versions/", b"/labels/", b"/metadata", b":predict", b":classify", b":regress"),
            *(b"7", b"-1", b"9" * 30, b"0" * 200, b"%", b"%2F", b"%00", b"%zz", b"%C3%28", b"%25"),
            *(b"?", b"?a=b&c", b"#", b"..", b"/./", b"\\", b":", b"*", b"http://other/v1/models"),
            *("ü".encode(), b"\xff", b"\x01", b";", b"{}", b"<>", b'"', b"/healthz", b"/readyz"),
        ]
    )
    return st.lists(pieces | st.binary(max_size=3), max_size=8).map(b"".join)


def header_lines() -> st.SearchStrategy[list[bytes]]:
    """Lines of a request's head: those that a server heeds with strange values, and any others."""
    names = [b"Content-Type", b"Content-Encoding", b"Content-Length", b"Transfer-Encoding"]
    names += [b"Expect", b"Host", b"Connection", b"Upgrade", b"Origin", b"Accept", b"Range", b"X"]
    values = [b"gzip", b"GZIP, gzip", b"deflate", b"chunked", b"identity, chunked", b"100-continue"]
    values += [
        b"5",
        b"-5",
        b"0x10",
        b"9" * 40,
        b"",
        b"close",
        b"websocket",
        b"h2c",
        b"*",
        b"a" * 9000,
    ]
    name = st.sampled_from(names) | st.binary(min_size=1, max_size=8)
    value = st.sampled_from(values) | st.binary(max_size=20)
    return st.lists(st.tuples(name, value).map(b": ".join), max_size=5)
