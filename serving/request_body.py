"""Undoes what HTTP did to a request's body on its way; not for what is in it."""

from __future__ import annotations

import gzip
import io
import zlib

from serving.errors import invalid_argument

# TensorFlow Serving's limit too: a small body may be gigabytes of zeros.
MAX_UNCOMPRESSED_BYTES = 100 * 1024 * 1024


def decode(body: bytes, content_encoding: str, limit: int = MAX_UNCOMPRESSED_BYTES) -> bytes:
    """Uncompresses a body.

    Args:
        body: As received.
        content_encoding: The header of that name; empty if there was none.
        limit: The most bytes that a compressed body may have inside.

    Raises:
        ServingError: INVALID_ARGUMENT for a body that is not gzip although the header says so, is
            cut off, or is larger than the limit.
    """
    if "gzip" not in content_encoding.lower():
        return body
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
            uncompressed = file.read(limit + 1)
    except (OSError, EOFError, zlib.error):
        raise invalid_argument("Failed to uncompress the gzipped body") from None
    if len(uncompressed) > limit:
        raise invalid_argument(f"The gzipped body has more than {limit} bytes inside")
    return uncompressed
