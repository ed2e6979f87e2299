"""TensorFlow Serving's REST API over HTTP: routes, bodies and error statuses.

`POST /v1/models/NAME[/versions/D|/labels/L]:(predict|classify|regress)`,
`GET /v1/models/NAME[/versions/D|/labels/L]` and the same with `/metadata`. Not for what a body
means (`predict_json.py`, `examples_json.py`), for other URLs (`side_routes.py`), nor for sockets
and start-up (`model_server.py`). URLs, bodies and messages follow tensorflow/serving,
`tensorflow_serving/model_servers/http_rest_api_*.cc`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import Any
from urllib.parse import unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from serving import examples_json, model_info, predict_json, request_body
from serving.errors import Code, ServingError, invalid_argument
from serving.inference import Inference
from serving.models import ModelSpec
from serving.servable import Servable

_LOG = logging.getLogger(__name__)

_API = re.compile("/v1/.*", re.IGNORECASE | re.DOTALL)
_MODEL = "/v1/models/(?P<name>[^/:]+)"
_VERSION = "(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
_POST = re.compile(f"{_MODEL}{_VERSION}:(?P<method>classify|regress|predict)", re.IGNORECASE)
_GET = re.compile(f"{_MODEL}{_VERSION}(?P<metadata>/metadata)?", re.IGNORECASE)
_NO_MODEL = re.compile(f"/v1/models{_VERSION}(/metadata)?", re.IGNORECASE)
_LARGEST_VERSION = 2**63 - 1

_HTTP_STATUS = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}

# Smaller bodies are read at once: handing them to another thread would take longer.
_SMALL_BYTES = 64 * 1024


class RestApi:
    """An ASGI application that answers requests for a set of models.

    Args:
        inference: What runs them.
        timeout_seconds: A request that takes longer, its arrival included, is answered with 504;
            what the model does for it goes on until it is done. 0 for no limit.
        max_request_bytes: A larger body is refused; 0 for no limit.
    """

    def __init__(
        self, inference: Inference, timeout_seconds: float = 30.0, max_request_bytes: int = 0
    ) -> None:
        self._inference = inference
        self._timeout_seconds = timeout_seconds
        self._max_request_bytes = max_request_bytes

    def routes(self) -> list[Route]:
        """One route for every path and verb. Whatever else a server answers goes before it."""
        return [Route("/{path:path}", self)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers any request; every failure becomes a status and a body."""
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.scope["raw_path"].decode("ascii", errors="replace")
        if not _API.fullmatch(path):
            return PlainTextResponse("Not Found", status_code=404)
        try:
            return _json_response(await self._dispatch(request, path))
        except _TooLargeError as error:
            return _json_response(_dump({"error": error.message}), 413)
        except ServingError as error:
            return _error_response(error)
        except Exception:
            _LOG.exception("%s %s failed", request.method, path)
            message = "Internal error: the server's log has it"
            return _error_response(ServingError(Code.INTERNAL, message))

    async def _dispatch(self, request: Request, path: str) -> bytes:
        if request.method == "POST" and (match := _POST.fullmatch(path)):
            spec, method = _spec(match), match["method"].capitalize()
            with self._inference.measured(spec, method, "REST"):
                return await self._in_time(self._post(request, spec, method))
        if request.method == "GET" and (match := _GET.fullmatch(path)):
            spec = _spec(match)
            if match["metadata"]:
                return _dump(model_info.metadata(self._inference.models.get(spec)))
            # A label is ignored here, as in TensorFlow Serving.
            statuses = self._inference.models.statuses(spec.name, spec.version)
            return _dump(model_info.status(statuses))
        if request.method == "GET" and _NO_MODEL.fullmatch(path):
            raise invalid_argument("Missing model name in request.")
        raise invalid_argument(f"Malformed request: {request.method} {path}")

    async def _in_time(self, answer: Any) -> bytes:
        try:
            return await asyncio.wait_for(answer, self._timeout_seconds or None)
        except asyncio.TimeoutError:
            message = f"the request took longer than {self._timeout_seconds:g} seconds"
            raise ServingError(Code.DEADLINE_EXCEEDED, message) from None

    async def _post(self, request: Request, spec: ModelSpec, method: str) -> bytes:
        body = await self._body(request)
        encoding = request.headers.get("content-encoding", "")
        if encoding:
            limit = self._max_request_bytes or request_body.MAX_UNCOMPRESSED_BYTES
            body = await self._inference.off_the_loop(request_body.decode, body, encoding, limit)
        if method == "Predict":
            return await self._predict(spec, body)
        return await self._classify_or_regress(spec, body, method)

    async def _body(self, request: Request) -> bytes:
        """The body, no more of which is ever held than the limit allows."""
        limit = self._max_request_bytes
        announced = request.headers.get("content-length", "")
        if limit and announced.isdigit() and int(announced[:20]) > limit:
            raise _TooLargeError(limit)
        chunks, size = [], 0
        try:
            async for chunk in request.stream():
                chunks.append(chunk)
                size += len(chunk)
                if limit and size > limit:
                    raise _TooLargeError(limit)
        except ClientDisconnect:
            raise ServingError(Code.CANCELLED, "the client is gone") from None
        return b"".join(chunks)

    async def _predict(self, spec: ModelSpec, body: bytes) -> bytes:
        servable: Servable | None = None

        def find_signature(name: str) -> Any:
            nonlocal servable
            servable = self._inference.models.get(spec)
            return servable.signature(name)

        if len(body) < _SMALL_BYTES:
            request = predict_json.parse_request(body, find_signature)
        else:
            request = await self._inference.off_the_loop(
                predict_json.parse_request, body, find_signature
            )
        assert servable is not None  # parse_request asked for the signature
        name = request.signature_name
        outputs = await self._inference.run(servable, name, request.inputs, "Predict")
        specs = servable.signature(name).outputs
        response = (
            predict_json.write_response(outputs, specs, request.row_format)
            if sum(array.nbytes for array in outputs.values()) < _SMALL_BYTES
            else await self._inference.off_the_loop(
                predict_json.write_response, outputs, specs, request.row_format
            )
        )
        self._inference.log_predict(servable, name, request.inputs, outputs)
        return response

    async def _classify_or_regress(self, spec: ModelSpec, body: bytes, method: str) -> bytes:
        name, message = await self._inference.off_the_loop(examples_json.parse_request, body)
        servable = self._inference.models.get(spec)
        if method == "Classify":
            classes = await self._inference.classify(servable, name, message)
            return examples_json.write_classes(classes.found)
        values = await self._inference.regress(servable, name, message)
        return examples_json.write_values(values.found)


class _TooLargeError(ServingError):
    """A request that is too large, for which HTTP has a status and gRPC's codes have none."""

    def __init__(self, limit: int) -> None:
        # The code of a gRPC message that is.
        super().__init__(Code.RESOURCE_EXHAUSTED, f"the request is larger than {limit} bytes")


def _spec(match: re.Match[str]) -> ModelSpec:
    version = match["version"]
    # Python reads no integers of thousands of digits.
    if version is not None and (len(version) > 100 or int(version) > _LARGEST_VERSION):
        raise invalid_argument(f"Failed to convert version: {version[:100]} to numeric.")
    label = match["label"]
    return ModelSpec(
        unquote(match["name"]),
        None if version is None else int(version),
        None if label is None else unquote(label),
    )


def _dump(document: dict[str, Any]) -> bytes:
    return json.dumps(document, indent=1).encode() + b"\n"


def _json_response(body: bytes, status: int = 200) -> Response:
    return Response(body, status, media_type="application/json")


def _error_response(error: ServingError) -> Response:
    return _json_response(_dump({"error": error.message}), _HTTP_STATUS[error.code])
