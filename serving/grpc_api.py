"""TensorFlow Serving's gRPC services: PredictionService and ModelService.

The messages and stubs are those of the tensorflow-serving-api package. Errors carry the code and
message that REST gives as status and body. Not for running requests (`inference.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
    regression_pb2,
)

from serving import classification, model_config, peers, signatures, tensors
from serving.errors import Code, ServingError, invalid_argument
from serving.inference import Found, Inference
from serving.models import Models, ModelSpec

_LOG = logging.getLogger(__name__)

_SIGNATURE_DEF = "signature_def"
_LOAD_POLL = 0.02  # seconds
_GRPC_CODES = {code.value[0]: code for code in grpc.StatusCode}


def model_spec(request: Any) -> ModelSpec:
    """Reads the `ModelSpec` of a request.

    Raises:
        ServingError: INVALID_ARGUMENT, if it has none.
    """
    if not request.HasField("model_spec"):
        raise invalid_argument("Missing ModelSpec")
    message = request.model_spec
    choice = message.WhichOneof("version_choice")
    return ModelSpec(
        message.name,
        message.version.value if choice == "version" else None,
        message.version_label if choice == "version_label" else None,
    )


async def _answered(context: Any, answer: Awaitable[Any]) -> Any:
    """The answer, or its error in gRPC's terms."""
    try:
        return await answer
    except ServingError as error:
        await context.abort(_GRPC_CODES[error.code.value], error.message)
    except asyncio.CancelledError:
        raise
    except Exception:
        _LOG.exception("a gRPC request failed")
        await context.abort(grpc.StatusCode.INTERNAL, "Internal error: the server's log has it")


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict, Classify, Regress, MultiInference and GetModelMetadata.

    Args:
        inference: What runs the requests.
    """

    def __init__(self, inference: Inference) -> None:
        self._inference = inference

    async def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Runs a signature on tensors."""
        return await _answered(context, self._measured(request, "Predict", self._predict))

    async def Classify(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Classifies examples."""
        return await _answered(context, self._measured(request, "Classify", self._classify))

    async def Regress(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Gives a value for each example."""
        return await _answered(context, self._measured(request, "Regress", self._regress))

    async def MultiInference(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Several classify and regress requests on the same examples."""
        return await _answered(context, self._multi_inference(request))

    async def GetModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        """The signatures of a version."""
        return await _answered(context, self._metadata(request))

    async def _measured(
        self, request: Any, api: str, answer: Callable[[Any, ModelSpec], Awaitable[Any]]
    ) -> Any:
        spec = model_spec(request)
        with self._inference.measured(spec, api, "GRPC"):
            return await answer(request, spec)

    async def _predict(self, request: Any, spec: ModelSpec) -> Any:
        servable = self._inference.models.get(spec)
        name = request.model_spec.signature_name or signatures.DEFAULT
        if name not in servable.signature_defs:
            # REST answers with other words and another code; so does TensorFlow Serving.
            message = f'Serving signature key "{name}" not found.'
            raise ServingError(Code.FAILED_PRECONDITION, message)
        signature = servable.signature(name)
        tensors.check_filter(request.output_filter, signature)
        inputs = tensors.inputs_of(request, signature)
        outputs = await self._inference.run(servable, name, inputs, "Predict")
        response = predict_pb2.PredictResponse()
        tensors.fill_outputs(response, outputs, request.output_filter, signature)
        tensors.fill_spec(response.model_spec, servable, name)
        self._inference.log_predict(servable, name, inputs, outputs)
        return response

    async def _classify(self, request: Any, spec: ModelSpec) -> Any:
        servable = self._inference.models.get(spec)
        name = request.model_spec.signature_name
        found = await self._inference.classify(servable, name, request.input)
        response = classification_pb2.ClassificationResponse()
        classification.fill_classes(response.result, found.found)
        tensors.fill_spec(response.model_spec, found.servable, found.signature_name)
        return response

    async def _regress(self, request: Any, spec: ModelSpec) -> Any:
        servable = self._inference.models.get(spec)
        name = request.model_spec.signature_name
        found = await self._inference.regress(servable, name, request.input)
        response = regression_pb2.RegressionResponse()
        classification.fill_values(response.result, found.found)
        tensors.fill_spec(response.model_spec, found.servable, found.signature_name)
        return response

    async def _multi_inference(self, request: Any) -> Any:
        # Without a task there is no model either, and that is the error then.
        spec = model_spec(request.tasks[0]) if request.tasks else ModelSpec("")
        response = inference_pb2.MultiInferenceResponse()
        with self._inference.measured(spec, "MultiInference", "GRPC"):
            servable = self._inference.models.get(spec)
            classification.check_tasks(servable, request.tasks)
            for task in request.tasks:
                name, result = task.model_spec.signature_name, response.results.add()
                found: Found[Any]
                if task.method_name == classification.CLASSIFY.name:
                    found = await self._inference.classify(servable, name, request.input)
                    classification.fill_classes(result.classification_result, found.found)
                else:
                    found = await self._inference.regress(servable, name, request.input)
                    classification.fill_values(result.regression_result, found.found)
                tensors.fill_spec(result.model_spec, servable, found.signature_name)
        return response

    async def _metadata(self, request: Any) -> Any:
        spec = model_spec(request)
        if not request.metadata_field:
            raise invalid_argument(
                "GetModelMetadataRequest must specify at least one metadata_field"
            )
        for field in request.metadata_field:
            if field != _SIGNATURE_DEF:
                raise invalid_argument(f"Metadata field {field} is not supported")
        servable = self._inference.models.get(spec)
        found = get_model_metadata_pb2.SignatureDefMap()
        for name, definition in servable.signature_defs.items():
            found.signature_def[name].CopyFrom(definition)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.name = servable.name
        response.model_spec.version.value = servable.version
        response.metadata[_SIGNATURE_DEF].Pack(found)
        return response


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus and HandleReloadConfigRequest.

    Args:
        models: The models.
        inference: For the metrics, and to work off the event loop.
    """

    def __init__(self, models: Models, inference: Inference) -> None:
        self._models, self._inference = models, inference

    async def GetModelStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
        """The states of a model's versions."""
        return await _answered(context, self._status(request))

    async def HandleReloadConfigRequest(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Serves other models, versions or labels from now on, if it comes from this machine.

        A model is code, and where it is read from and logged to are paths of this machine: not
        for everybody to say who may ask.
        """
        return await _answered(context, self._reload(request, context.peer()))

    async def _status(self, request: Any) -> Any:
        spec = model_spec(request)
        response = get_model_status_pb2.GetModelStatusResponse()
        for status in self._models.statuses(spec.name, spec.version):
            entry = response.model_version_status.add()
            entry.version = status.version
            entry.state = entry.State.Value(status.state.value)
            if status.error is not None:
                entry.status.error_code = status.error.code.value
                entry.status.error_message = status.error.message
        return response

    async def _reload(self, request: Any, peer: str) -> Any:
        if not peers.is_local(peer):
            raise ServingError(
                Code.PERMISSION_DENIED,
                "HandleReloadConfigRequest is taken from the server's own machine alone; from "
                "elsewhere change the file of --model_config_file, which is looked at every "
                "--model_config_file_poll_wait_seconds",
            )
        before = self._inference.metrics.totals()
        if request.config.WhichOneof("config") != "model_config_list":
            raise invalid_argument(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported"
            )
        configs = model_config.from_message(request.config)
        added = [config.name for config in configs if not self._models.has(config.name)]
        try:
            await self._inference.off_the_loop(self._models.configure, configs)
        except OSError as error:
            raise invalid_argument(str(error)) from error
        await self._until_available(added)
        response = model_management_pb2.ReloadConfigResponse()
        response.status.SetInParent()  # OK, and there
        after = self._inference.metrics.totals()
        for name in request.metric_names:
            increase = after.get(name, 0) - before.get(name, 0)
            response.metric.add(name=name, int64_value_increase=increase)
        return response

    async def _until_available(self, names: Sequence[str]) -> None:
        """Waits for models that were added: whoever added them can use them at once."""
        while not all(map(self._models.is_settled, names)):
            await asyncio.sleep(_LOAD_POLL)
        missing = set(names) & set(self._models.unready())
        if missing:
            reasons = [
                f"{{{name} due to error: {status.error.status}}}"
                for name in sorted(missing)
                for status in self._models.statuses(name)
                if status.error is not None
            ]
            raise ServingError(
                Code.UNKNOWN,
                f"{len(missing)} model(s) did not become available: {{{', '.join(reasons)}}}",
            )
