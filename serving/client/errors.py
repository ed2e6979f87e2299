"""What may go wrong between a client and a server, and how a server's words are told apart.

Not for how a failure arrives: `rest.py`, `grpc_transport.py`.
"""

from __future__ import annotations

import re


class ClientError(Exception):
    """Whatever goes wrong between this client and a server."""


class ServerUnavailableError(ClientError):
    """No server, or no capacity: the same request may succeed later, and is tried again.

    Attributes:
        retry_after: Seconds after which the server wants to be asked again; None if it did not say.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ModelNotFoundError(ServerUnavailableError):
    """The server has no such model, or none that is loaded yet; it is not asked again."""


class RequestTimeoutError(ServerUnavailableError):
    """No answer in time; it is not asked again, since what takes long would only pile up."""


class RequestError(ClientError):
    """The server refused the request, or answers what is no answer; it will do so again."""


class BadImageError(RequestError):
    """The model cannot read an image."""


# The words of image decoders, and those of complaints about the request around the image.
_IMAGE_WORDS = re.compile(r"image|jpe?g|png|gif|bmp|header_size|input is empty", re.IGNORECASE)
_REQUEST_WORDS = re.compile(
    r"JSON|signature|named input|base64|expected type|input tensor alias|sent extra", re.IGNORECASE
)


def refused(message: str, server: str, *, about_images: bool) -> RequestError:
    """The error of a request that a server calls invalid.

    Args:
        message: The server's words.
        server: Its URL.
        about_images: Whether images were sent.

    >>> refused("Invalid PNG data, size 7", "http://server", about_images=True)
    BadImageError('Invalid PNG data, size 7')
    >>> refused("not in the gallery: 1.png", "http://server", about_images=False)
    RequestError('http://server: not in the gallery: 1.png')
    """
    if about_images and _IMAGE_WORDS.search(message) and not _REQUEST_WORDS.search(message):
        return BadImageError(message)
    return RequestError(f"{server}: {message}")
