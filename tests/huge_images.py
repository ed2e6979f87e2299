"""Image files that claim, or have, very many pixels, made without holding these in memory."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image


def png(width: int, height: int, depth: int = 8, *, honest: bool = True) -> bytes:
    """A black and wholly transparent PNG; one that is not honest holds a thousand bytes of it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    row = bytes(1 + width * 4 * depth // 8)
    compressor = zlib.compressobj(9)
    packed = b"".join(compressor.compress(row) for _ in range(height if honest else 0))
    packed += compressor.compress(b"" if honest else bytes(1000)) + compressor.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, 6, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")
    )


def jpeg(width: int, height: int) -> bytes:
    """A grey photo that is as large as it says."""
    file = io.BytesIO()
    Image.new("RGB", (width, height), (90, 120, 60)).save(file, "JPEG")
    return file.getvalue()


def jpeg_that_claims(width: int, height: int, *, progressive: bool = False) -> bytes:
    """A JPEG of 200 × 200 pixels, whose header says that it is larger."""
    file = io.BytesIO()
    Image.effect_noise((200, 200), 60).convert("RGB").save(file, "JPEG", progressive=progressive)
    content = file.getvalue()
    start = content.index(b"\xff\xc2" if progressive else b"\xff\xc0") + 5
    return content[:start] + struct.pack(">HH", height, width) + content[start + 4 :]
