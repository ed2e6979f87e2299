"""The REST way to a model server: URLs and bodies, and httpx to send them.

What is sent and how an answer is read is the same with and without asyncio, and stands here once.
Not for what is asked (`questions.py`).
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from serving.client.errors import (
    ClientError,
    ModelNotFoundError,
    RequestError,
    RequestTimeoutError,
    ServerUnavailableError,
    refused,
)
from serving.client.questions import Question
from serving.client.results import Columns, ModelMetadata, VersionInfo
from serving.client.target import Target
from serving.signatures import Signature, TensorSpec

_STATUS_ERRORS = {404: ModelNotFoundError, 504: RequestTimeoutError}
_UNAVAILABLE = (429, 502, 503)
_JSON = {"content-type": "application/json"}
# A proxy from the environment is not the way to this machine itself.
_DIRECT = {f"all://{host}": None for host in ("localhost", "127.0.0.1", "[::1]")}


class _Messages:
    """Requests to one model, and their answers."""

    def __init__(self, target: Target) -> None:
        self._url = target.url
        # The states of all versions are what is asked for, whichever answers.
        self._model = f"/v1/models/{target.model_name}"
        self._version = f"{self._model}{target.path}"
        self._settings: dict[str, Any] = {
            "base_url": target.url,
            "timeout": target.timeout,
            "headers": dict(target.headers),
            "mounts": _DIRECT,
        }

    def _predict(self, question: Question[Any]) -> dict[str, Any]:
        values = [{"b64": base64.b64encode(value).decode("ascii")} for value in question.values]
        body = {"signature_name": question.signature, "inputs": {question.source: values}}
        return {
            "method": "POST",
            "url": f"{self._version}:predict",
            "content": json.dumps(body),
            "headers": _JSON,
        }

    def _columns(self, response: httpx.Response, question: Question[Any]) -> Columns:
        with self._reading(response, question.is_about_images) as answer:
            outputs = answer["outputs"]
            # Of an only output the API does not tell the name.
            columns = outputs if isinstance(outputs, Mapping) else {question.outputs[0]: outputs}
            return {
                name: _bytes(columns[name]) if name.endswith("_bytes") else columns[name]
                for name in question.outputs
            }

    def _get(self, *, metadata: bool = False) -> dict[str, Any]:
        return {"method": "GET", "url": f"{self._version}/metadata" if metadata else self._model}

    def _versions(self, response: httpx.Response) -> list[VersionInfo]:
        with self._reading(response) as answer:
            return [
                VersionInfo(int(entry["version"]), entry["state"], **entry["status"])
                for entry in answer["model_version_status"]
            ]

    def _metadata(self, response: httpx.Response) -> ModelMetadata:
        with self._reading(response) as answer:
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
    def _sending(self) -> Iterator[None]:
        """Turns what goes wrong on the way into this client's errors."""
        try:
            yield
        except httpx.TimeoutException as error:
            if isinstance(error, httpx.ConnectTimeout):
                raise ServerUnavailableError(f"no answer from {self._url}: {error}") from error
            raise RequestTimeoutError(f"no answer from {self._url} in time") from error
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
            raise ServerUnavailableError(f"no answer from {self._url}: {reason}") from error

    @contextlib.contextmanager
    def _reading(self, response: httpx.Response, about_images: bool = False) -> Iterator[Any]:
        """The body of an answer; what it should not hold becomes an error."""
        if not response.is_success:
            raise self._refusal(response, about_images)
        try:
            answer = response.json()
        except ValueError as error:
            raise RequestError(f"{self._url} does not answer with JSON") from error
        try:
            yield answer
        except (LookupError, TypeError, ValueError) as error:
            raise RequestError(f"the answer of {self._url} is not understood: {error}") from error

    def _refusal(self, response: httpx.Response, about_images: bool) -> ClientError:
        status = response.status_code
        try:
            message = str(response.json()["error"])
        except (ValueError, LookupError, TypeError):
            message = f"HTTP status {status}"
        if status in _STATUS_ERRORS:
            return _STATUS_ERRORS[status](f"{self._url}: {message}")
        if status in _UNAVAILABLE:
            wanted = response.headers.get("retry-after", "")
            # The header's other form, a date, is not worth a clock that may be wrong.
            seconds = float(wanted) if wanted.isascii() and wanted.isdigit() else None
            return ServerUnavailableError(f"{self._url}: {message}", seconds)
        if status == httpx.codes.BAD_REQUEST:
            return refused(message, self._url, about_images=about_images)
        return RequestError(f"{self._url}: {message}")


class RestTransport(_Messages):
    """Sends questions to one model over REST.

    Args:
        target: Where.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._http = httpx.Client(**self._settings)

    def predict(self, question: Question[Any]) -> Columns:
        """The outputs of a question's signature, by name."""
        return self._columns(self._send(self._predict(question)), question)

    def status(self) -> list[VersionInfo]:
        """The states of the model's versions."""
        return self._versions(self._send(self._get()))

    def metadata(self) -> ModelMetadata:
        """The signatures of the version that answers."""
        return self._metadata(self._send(self._get(metadata=True)))

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    def _send(self, request: dict[str, Any]) -> httpx.Response:
        with self._sending():
            return self._http.request(**request)


class AsyncRestTransport(_Messages):
    """`RestTransport` for asyncio."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self._http = httpx.AsyncClient(**self._settings)

    async def predict(self, question: Question[Any]) -> Columns:
        """The outputs of a question's signature, by name."""
        return self._columns(await self._send(self._predict(question)), question)

    async def status(self) -> list[VersionInfo]:
        """The states of the model's versions."""
        return self._versions(await self._send(self._get()))

    async def metadata(self) -> ModelMetadata:
        """The signatures of the version that answers."""
        return self._metadata(await self._send(self._get(metadata=True)))

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def _send(self, request: dict[str, Any]) -> httpx.Response:
        with self._sending():
            return await self._http.request(**request)


def _bytes(values: list[Any]) -> list[bytes]:
    return [base64.b64decode(value["b64"]) for value in values]


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
