"""The gRPC way to a model server, with messages that need no TensorFlow (`wire.py`).

What is sent and how an answer is read is the same with and without asyncio, and stands here once.
Not for what is asked (`questions.py`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import grpc
import numpy as np
import numpy.typing as npt

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
from serving.client.wire import DTYPES, messages
from serving.signatures import Signature, TensorSpec

_PREDICTION, _MODELS = "/tensorflow.serving.PredictionService", "/tensorflow.serving.ModelService"
_STRING = 7  # DT_STRING
_STATES = {0: "UNKNOWN", 10: "START", 20: "LOADING", 30: "AVAILABLE", 40: "UNLOADING", 50: "END"}
_ERROR_CODES = {code.value[0]: code.name for code in grpc.StatusCode}
_SIGNATURES = "signature_def"
# Answers about many images are larger than the 4 MB that gRPC allows by itself.
_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
_UNAVAILABLE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)


class _Messages:
    """Requests to one model, and their answers."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._metadata_pairs = tuple((k.lower(), v) for k, v in target.headers.items())

    def _call(self, channel: Any, method: str, request: str, response: str) -> Any:
        known = messages()
        return channel.unary_unary(
            method,
            request_serializer=getattr(known, request).SerializeToString,
            response_deserializer=getattr(known, response).FromString,
        )

    def _connect(self, channel: Any) -> None:
        self._predict_call = self._call(
            channel, f"{_PREDICTION}/Predict", "PredictRequest", "PredictResponse"
        )
        self._status_call = self._call(
            channel, f"{_MODELS}/GetModelStatus", "StatusRequest", "StatusResponse"
        )
        self._metadata_call = self._call(
            channel, f"{_PREDICTION}/GetModelMetadata", "MetadataRequest", "MetadataResponse"
        )

    def _spec(self, signature: str = "", *, any_version: bool = False) -> Any:
        target = self._target
        spec = messages().ModelSpec(name=target.model_name, signature_name=signature)
        if target.version is not None and not any_version:
            spec.version.value = target.version
        if target.label is not None and not any_version:
            spec.version_label = target.label
        return spec

    def _predict_request(self, question: Question[Any]) -> Any:
        request = messages().PredictRequest(model_spec=self._spec(question.signature))
        tensor = request.inputs[question.source]
        tensor.dtype = _STRING
        tensor.tensor_shape.dim.add(size=len(question.values))
        tensor.string_val.extend(question.values)
        return request

    def _status_request(self) -> Any:
        return messages().StatusRequest(model_spec=self._spec(any_version=True))

    def _metadata_request(self) -> Any:
        return messages().MetadataRequest(model_spec=self._spec(), metadata_field=[_SIGNATURES])

    def _columns(self, response: Any, question: Question[Any]) -> Columns:
        with self._reading():
            return {
                name: _column(response.outputs[name], text=not name.endswith("_bytes"))
                for name in question.outputs
                if name in response.outputs
            }

    def _versions(self, response: Any) -> list[VersionInfo]:
        return [
            VersionInfo(
                entry.version,
                _STATES.get(entry.state, str(entry.state)),
                _ERROR_CODES.get(entry.status.error_code, str(entry.status.error_code)),
                entry.status.error_message,
            )
            for entry in response.model_version_status
        ]

    def _signatures(self, response: Any) -> ModelMetadata:
        definitions = messages().SignatureDefMap.FromString(response.metadata[_SIGNATURES].value)
        return ModelMetadata(
            response.model_spec.name,
            response.model_spec.version.value,
            {
                name: Signature(_tensors(entry.inputs), _tensors(entry.outputs))
                for name, entry in definitions.signature_def.items()
            },
        )

    @contextlib.contextmanager
    def _sending(self, *, about_images: bool = False) -> Iterator[dict[str, Any]]:
        """Arguments of a call; turns what goes wrong into this client's errors."""
        try:
            yield {"timeout": self._target.timeout, "metadata": self._metadata_pairs}
        except grpc.RpcError as error:
            raise self._refusal(error, about_images) from error

    @contextlib.contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except (LookupError, TypeError, ValueError) as error:
            raise RequestError(
                f"the answer of {self._target.url} is not understood: {error}"
            ) from error

    def _refusal(self, error: Any, about_images: bool) -> ClientError:
        code, message, url = error.code(), error.details() or "", self._target.url
        if code is grpc.StatusCode.NOT_FOUND:
            return ModelNotFoundError(f"{url}: {message}")
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            return RequestTimeoutError(f"no answer from {url} in time")
        if code in _UNAVAILABLE:
            return ServerUnavailableError(f"no answer from {url}: {message}")
        if code is grpc.StatusCode.INVALID_ARGUMENT:
            return refused(message, url, about_images=about_images)
        return RequestError(f"{url}: {code.name}: {message}")


class GrpcTransport(_Messages):
    """Sends questions to one model over gRPC.

    Args:
        target: Where.
    """

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        if target.is_encrypted:
            credentials = grpc.ssl_channel_credentials()
            self._channel = grpc.secure_channel(target.address, credentials, _OPTIONS)
        else:
            self._channel = grpc.insecure_channel(target.address, _OPTIONS)
        self._connect(self._channel)

    def predict(self, question: Question[Any]) -> Columns:
        """The outputs of a question's signature, by name."""
        with self._sending(about_images=question.is_about_images) as how:
            response = self._predict_call(self._predict_request(question), **how)
        return self._columns(response, question)

    def status(self) -> list[VersionInfo]:
        """The states of the model's versions."""
        with self._sending() as how:
            return self._versions(self._status_call(self._status_request(), **how))

    def metadata(self) -> ModelMetadata:
        """The signatures of the version that answers."""
        with self._sending() as how:
            return self._signatures(self._metadata_call(self._metadata_request(), **how))

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()


class AsyncGrpcTransport(_Messages):
    """`GrpcTransport` for asyncio."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        if target.is_encrypted:
            credentials = grpc.ssl_channel_credentials()
            self._channel = grpc.aio.secure_channel(target.address, credentials, _OPTIONS)
        else:
            self._channel = grpc.aio.insecure_channel(target.address, _OPTIONS)
        self._connect(self._channel)

    async def predict(self, question: Question[Any]) -> Columns:
        """The outputs of a question's signature, by name."""
        with self._sending(about_images=question.is_about_images) as how:
            response = await self._predict_call(self._predict_request(question), **how)
        return self._columns(response, question)

    async def status(self) -> list[VersionInfo]:
        """The states of the model's versions."""
        with self._sending() as how:
            return self._versions(await self._status_call(self._status_request(), **how))

    async def metadata(self) -> ModelMetadata:
        """The signatures of the version that answers."""
        with self._sending() as how:
            return self._signatures(await self._metadata_call(self._metadata_request(), **how))

    async def close(self) -> None:
        """Closes the connection."""
        await self._channel.close()


def _column(tensor: Any, *, text: bool) -> list[Any]:
    """A tensor as nested lists; strings as text or bytes."""
    shape = [dim.size for dim in tensor.tensor_shape.dim]
    dtype = DTYPES.get(tensor.dtype, str(tensor.dtype))
    if dtype == "string":
        values = [value.decode("utf-8") if text else value for value in tensor.string_val]
        flat = np.empty(len(values), object)
        flat[:] = values
        return flat.reshape(shape).tolist()
    kinds = {
        "float": (np.float32, tensor.float_val),
        "double": (np.float64, tensor.double_val),
        "int32": (np.int32, tensor.int_val),
        "int64": (np.int64, tensor.int64_val),
        "bool": (np.bool_, tensor.bool_val),
    }
    if dtype not in kinds:
        raise TypeError(f"an output is of type {dtype}")
    numpy_type, listed = kinds[dtype]
    array: npt.NDArray = (
        np.frombuffer(tensor.tensor_content, numpy_type)
        if tensor.tensor_content
        else np.array(listed, numpy_type)
    )
    size = int(np.prod(shape))
    # A constant may be sent as its last value only.
    array = (
        np.pad(array, (0, size - len(array)), "edge") if 0 < len(array) < size else array
    ).reshape(shape)
    if numpy_type is np.float32:
        # The shortest decimal number that is this one in float32, as in JSON.
        array = np.array([float(str(value)) for value in array.ravel()]).reshape(shape)
    return array.tolist()


def _tensors(infos: Mapping[str, Any]) -> dict[str, TensorSpec]:
    return {
        name: TensorSpec(DTYPES.get(info.dtype, str(info.dtype)), _shape(info.tensor_shape))
        for name, info in infos.items()
    }


def _shape(shape: Any) -> tuple[int | None, ...] | None:
    if shape.unknown_rank:
        return None
    return tuple(None if dim.size < 0 else dim.size for dim in shape.dim)
