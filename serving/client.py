"""A client for a served similarity model; needs neither TensorFlow nor the rest of the project.

It speaks TensorFlow Serving's REST API, so the server may be the embedded one or TensorFlow Serving
itself. Not for what the answers mean: `neighbours.py`.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import os
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

import httpx

from serving import neighbours
from serving.neighbours import Neighbour
from serving.signatures import Signature, TensorSpec

Image = bytes | str | os.PathLike[str]


class ClientError(Exception):
    """Whatever goes wrong between this client and a server."""


class ServerUnavailableError(ClientError):
    """No server, no such model, or no capacity: the same request may succeed later."""


class RequestError(ClientError):
    """The server refused the request; it will refuse it again."""


class BadImageError(RequestError):
    """The model cannot read an image."""


@dataclasses.dataclass(frozen=True)
class VersionInfo:
    """State of one version: `state` is LOADING, AVAILABLE, END, …; `error_message` says why."""

    version: int
    state: str
    error_code: str
    error_message: str


@dataclasses.dataclass(frozen=True)
class ModelMetadata:
    """A loaded version and its signatures by name."""

    name: str
    version: int
    signatures: Mapping[str, Signature]


class SimilarityClient:
    """Asks a server for images that look like others; a context manager, or call `close`.

    Args:
        url: The server's address.
        model_name: The model's name there.
        timeout: Seconds to wait for an answer.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8501",
        model_name: str = "flowers",
        timeout: float = 30.0,
    ) -> None:
        self._url = url
        self._model = f"/v1/models/{model_name}"
        # A proxy from the environment is not the way to this machine itself.
        direct = {f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")}
        self._http = httpx.Client(base_url=url, timeout=timeout, mounts=direct)

    def __enter__(self) -> SimilarityClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._http.close()

    def similar(self, image: Image, k: int | None = None) -> list[Neighbour]:
        """The images of the gallery that look most like one.

        Args:
            image: An encoded image's bytes, or the path of its file.
            k: How many; None for as many as the model gives.

        Returns:
            Best first; fewer than k where the gallery has no more.

        Raises:
            ValueError: k is less than 1 or more than the model gives.
            OSError: The file cannot be read.
            ClientError: One of its subclasses, see there.
        """
        return self.similar_batch([image], k)[0]

    def similar_batch(self, images: Sequence[Image], k: int | None = None) -> list[list[Neighbour]]:
        """`similar` for several images, in one request; one bad image fails the whole of it."""
        if k is not None and k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        if not images:
            return []
        instances = [{"b64": base64.b64encode(_read(image)).decode("ascii")} for image in images]
        answer = self._request("POST", f"{self._model}:predict", {"instances": instances})
        with self._reading():
            predictions = answer["predictions"]
            if len(predictions) != len(images):
                raise TypeError(f"{len(predictions)} predictions for {len(images)} images")
            return [neighbours.from_prediction(prediction, k) for prediction in predictions]

    def status(self) -> list[VersionInfo]:
        """The states of the model's versions, newest first.

        Raises:
            ClientError: One of its subclasses, see there.
        """
        answer = self._request("GET", self._model)
        with self._reading():
            return [
                VersionInfo(int(entry["version"]), entry["state"], **entry["status"])
                for entry in answer["model_version_status"]
            ]

    def metadata(self) -> ModelMetadata:
        """The version that answers, and its signatures.

        Raises:
            ClientError: One of its subclasses, see there.
        """
        answer = self._request("GET", f"{self._model}/metadata")
        with self._reading():
            definitions = answer["metadata"]["signature_def"]["signature_def"]
            return ModelMetadata(
                answer["model_spec"]["name"],
                int(answer["model_spec"]["version"]),
                {
                    name: Signature(_tensors(entry["inputs"]), _tensors(entry["outputs"]))
                    for name, entry in definitions.items()
                },
            )

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (LookupError, TypeError) as error:
            raise RequestError(f"the answer of {self._url} is not understood: {error}") from error

    def _request(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        try:
            response = self._http.request(method, path, json=body)
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
            raise ServerUnavailableError(f"no answer from {self._url}: {reason}") from error
        if not response.is_success:
            raise _refusal(response, self._url)
        try:
            return response.json()
        except ValueError as error:
            raise RequestError(f"{self._url} does not answer with JSON") from error


# The words of image decoders, and those of complaints about the request around the image.
_IMAGE_WORDS = re.compile(r"image|jpe?g|png|gif|bmp|header_size|input is empty", re.IGNORECASE)
_REQUEST_WORDS = re.compile(r"JSON|signature|'instances'|named input|base64", re.IGNORECASE)


def _refusal(response: httpx.Response, url: str) -> ClientError:
    try:
        message = str(response.json()["error"])
    except (ValueError, LookupError, TypeError):
        message = f"HTTP status {response.status_code}"
    if response.status_code in (404, 429, 502, 503, 504):
        return ServerUnavailableError(f"{url}: {message}")
    bad_image = _IMAGE_WORDS.search(message) and not _REQUEST_WORDS.search(message)
    if response.status_code == 400 and bad_image:
        return BadImageError(message)
    return RequestError(f"{url}: {message}")


def _read(image: Image) -> bytes:
    content = image if isinstance(image, bytes) else pathlib.Path(image).read_bytes()
    if not content:
        raise BadImageError("the image is empty")
    return content


def _tensors(definitions: Mapping[str, Any]) -> dict[str, TensorSpec]:
    return {
        name: TensorSpec(entry["dtype"].removeprefix("DT_").lower(), _shape(entry["tensor_shape"]))
        for name, entry in definitions.items()
    }


def _shape(shape: Mapping[str, Any]) -> tuple[int | None, ...] | None:
    if shape["unknown_rank"]:
        return None
    sizes = [int(dim["size"]) for dim in shape["dim"]]
    return tuple(None if size < 0 else size for size in sizes)
