"""A Vertex AI in this process: a gRPC server that speaks the real messages of its services.

What a client sends is parsed by the official protos, or the call fails. A service is a plain object
with a method for each call; a method may raise `RefusedError` to answer with an error.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import grpc
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2

_SERVICE = re.compile(r"/google\.cloud\.aiplatform\.v1\.(\w+)Service/(\w+)")


class RefusedError(Exception):
    """An answer with an error, perhaps with Google's details of it."""

    def __init__(self, code: grpc.StatusCode, message: str, reason: str = "", **metadata: str):
        super().__init__(message)
        self.code = code
        self.message = message
        self.reason = reason
        self.metadata = metadata


@dataclasses.dataclass
class VertexServer:
    """Where it listens, and what it was asked: service, call, and the request as its proto."""

    address: str
    asked: list[tuple[str, str, Any]]

    def requests(self, call: str) -> list[Any]:
        return [request for _, name, request in self.asked if name == call]


@contextlib.contextmanager
def vertex_server(**services: Any) -> Iterator[VertexServer]:
    """Serves: with `Pipeline=x`, `x.get_pipeline_job(request)` answers `GetPipelineJob`.

    `operations` holds how operations that were not done at first have ended, by name.
    """
    asked: list[tuple[str, str, Any]] = []
    server = grpc.server(futures.ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((_Handler(services, asked),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield VertexServer(f"127.0.0.1:{port}", asked)
    finally:
        server.stop(None).wait()


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, services: dict[str, Any], asked: list[tuple[str, str, Any]]) -> None:
        self._services = services
        self._asked = asked

    def service(self, details: Any) -> Any:
        if details.method == "/google.longrunning.Operations/GetOperation":
            return self._operation()
        match = _SERVICE.fullmatch(details.method)
        if not match or match[1] not in self._services:
            return None
        service, call = match.groups()
        method = getattr(self._services[service], _snake(call))
        return grpc.unary_unary_rpc_method_handler(
            self._answering(service, call, method),
            request_deserializer=_request_type(service, call).deserialize,
            response_serializer=_serialized,
        )

    def _operation(self) -> Any:
        from google.longrunning import operations_pb2

        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: self._services["operations"].pop(request.name),
            request_deserializer=operations_pb2.GetOperationRequest.FromString,
            response_serializer=operations_pb2.Operation.SerializeToString,
        )

    def _answering(self, service: str, call: str, method: Callable[[Any], Any]) -> Any:
        def answer(request: Any, context: Any) -> Any:
            self._asked.append((service, call, request))
            try:
                return method(request)
            except RefusedError as refusal:
                _refuse(context, refusal)

        return answer


def _refuse(context: Any, refusal: RefusedError) -> None:
    status = status_pb2.Status(code=refusal.code.value[0], message=refusal.message)
    if refusal.reason:
        info = error_details_pb2.ErrorInfo(
            reason=refusal.reason, domain="googleapis.com", metadata=refusal.metadata
        )
        packed = any_pb2.Any()
        packed.Pack(info)
        status.details.append(packed)
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(refusal.code, refusal.message)


def done(response: Any, name: str = "projects/p/locations/r/operations/1") -> Any:
    """A long-running operation that has ended with a response."""
    from google.longrunning import operations_pb2

    packed = any_pb2.Any()
    packed.Pack(type(response).pb(response) if hasattr(type(response), "pb") else response)
    return operations_pb2.Operation(name=name, done=True, response=packed)


def failed(message: str, name: str = "projects/p/locations/r/operations/1") -> Any:
    """A long-running operation that has ended with an error."""
    from google.longrunning import operations_pb2

    error = status_pb2.Status(code=code_pb2.FAILED_PRECONDITION, message=message)
    return operations_pb2.Operation(name=name, done=True, error=error)


def _request_type(service: str, call: str) -> Any:
    from google.cloud.aiplatform_v1 import types

    return getattr(types, f"{call}Request")


def _serialized(answer: Any) -> bytes:
    kind = type(answer)
    return kind.serialize(answer) if hasattr(kind, "serialize") else answer.SerializeToString()


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()
