"""TensorFlow Serving's REST API over HTTP: routes, bodies and error statuses.

`POST /v1/models/NAME[/versions/D|/labels/L]:predict`, `GET /v1/models/NAME[/versions/D|/labels/L]`
and the same with `/metadata`. Not for what a predict body means (`predict_json.py`), nor for
sockets and start-up (`model_server.py`). URLs, bodies and messages follow tensorflow/serving,
`tensorflow_serving/model_servers/http_rest_api_*.cc`; classify and regress are answered with 501.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import re
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any
from urllib.parse import unquote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from serving import model_info, predict_json, request_body
from serving.errors import Code, ServingError, invalid_argument
from serving.servable import Servable
from serving.versions import ModelVersions, servable_not_found

_LOG = logging.getLogger(__name__)

_API = re.compile("/v1/.*", re.IGNORECASE | re.DOTALL)
_MODEL = "/v1/models/(?P<name>[^/:]+)"
_VERSION = "(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
_POST = re.compile(f"{_MODEL}{_VERSION}:(?P<method>classify|regress|predict)", re.IGNORECASE)
_GET = re.compile(f"{_MODEL}{_VERSION}(?P<metadata>/metadata)?", re.IGNORECASE)
_ALL_MODELS = re.compile("/v1/models", re.IGNORECASE)
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

Models = Mapping[str, ModelVersions[Servable]]


@dataclasses.dataclass(frozen=True)
class _Target:
    """The model that a URL names; `version` and `label` are None where it leaves them out."""

    name: str
    version: int | None
    label: str | None


class RestApi:
    """An ASGI application that answers requests for a set of models.

    Args:
        models: By name.
        executor: Runs the models, so that the event loop stays free for other requests.
        timeout_seconds: A request that takes longer is answered with 504; what the model does for
            it goes on until it is done. 0 for no limit.
    """

    def __init__(self, models: Models, executor: Executor, timeout_seconds: float = 30.0) -> None:
        self._models = models
        self._executor = executor
        self._timeout_seconds = timeout_seconds

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
        except ServingError as error:
            return _error_response(error)
        except ClientDisconnect:
            return _error_response(ServingError(Code.CANCELLED, "the client is gone"))
        except Exception:
            _LOG.exception("%s %s failed", request.method, path)
            message = "Internal error: the server's log has it"
            return _error_response(ServingError(Code.INTERNAL, message))

    async def _dispatch(self, request: Request, path: str) -> bytes:
        if request.method == "POST" and (match := _POST.fullmatch(path)):
            method = match["method"].lower()
            if method != "predict":
                raise ServingError(Code.UNIMPLEMENTED, f"{method} is not implemented; use predict")
            target = _target(match)
            body, encoding = await request.body(), request.headers.get("content-encoding", "")
            return await self._in_time(lambda: self._predict(target, body, encoding))
        if request.method == "GET" and (match := _GET.fullmatch(path)):
            target = _target(match)
            if match["metadata"]:
                return _dump(model_info.metadata(self._servable(target)))
            return _dump(self._status(target))
        if request.method == "GET" and _ALL_MODELS.fullmatch(path):
            raise invalid_argument("Missing model name in request.")
        raise invalid_argument(f"Malformed request: {request.method} {path}")

    async def _in_time(self, work: Callable[[], bytes]) -> bytes:
        future = asyncio.get_running_loop().run_in_executor(self._executor, work)
        try:
            return await asyncio.wait_for(future, self._timeout_seconds or None)
        except asyncio.TimeoutError:
            message = f"the request took longer than {self._timeout_seconds:g} seconds"
            raise ServingError(Code.DEADLINE_EXCEEDED, message) from None

    def _predict(self, target: _Target, body: bytes, encoding: str) -> bytes:
        """Runs on the executor: reading and writing much JSON takes its time too."""
        body = request_body.decode(body, encoding)
        servable: Servable | None = None

        def find_signature(name: str) -> Any:
            nonlocal servable
            servable = self._servable(target)
            return servable.signature(name)

        request = predict_json.parse_request(body, find_signature)
        assert servable is not None  # parse_request asked for the signature
        outputs = servable.run(request.signature_name, request.inputs)
        specs = servable.signature(request.signature_name).outputs
        return predict_json.write_response(outputs, specs, request.row_format)

    def _servable(self, target: _Target) -> Servable:
        if target.label is not None:
            raise invalid_argument(f"Unrecognized servable version label: {target.label}")
        if target.name not in self._models:
            raise servable_not_found(target.name, target.version)
        return self._models[target.name].get(target.version)

    def _status(self, target: _Target) -> dict[str, Any]:
        # A label is ignored here, as in TensorFlow Serving.
        model = self._models.get(target.name)
        statuses = model.statuses() if model is not None else []
        if target.version is not None:
            statuses = [status for status in statuses if status.version == target.version]
        if not statuses:
            missing = "any versions" if target.version is None else f"version {target.version}"
            raise ServingError(Code.NOT_FOUND, f"Could not find {missing} of model {target.name}")
        return model_info.status(statuses)


def _target(match: re.Match[str]) -> _Target:
    version = match["version"]
    # Python reads no integers of thousands of digits.
    if version is not None and (len(version) > 100 or int(version) > _LARGEST_VERSION):
        raise invalid_argument(f"Failed to convert version: {version[:100]} to numeric.")
    label = match["label"]
    return _Target(
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
