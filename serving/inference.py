"""Runs requests: what REST and gRPC have in common.

Finds the version, runs it in a batch or by itself, off the event loop, counts and logs. Not for how
a request looks on the wire (`rest_api.py`, `grpc_api.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from typing import Any, Generic, TypeVar

import numpy as np

from serving import classification, prediction_logs
from serving.batches import Arrays
from serving.batching import Batcher
from serving.batching_parameters import BatchingParameters
from serving.classification import Classes
from serving.errors import Code, ServingError
from serving.models import Models, ModelSpec
from serving.request_log import RequestLog
from serving.servable import Servable
from serving.server_metrics import ServerMetrics

Result = TypeVar("Result")

_RUNTIME = "TF2"


@dataclasses.dataclass(frozen=True)
class Found(Generic[Result]):
    """What a signature of a model's version found."""

    servable: Servable
    signature_name: str
    found: Result


class Inference:
    """Answers requests for a set of models.

    Attributes:
        models: The models.
        metrics: What is counted.
        log: Where requests are logged.

    Args:
        executor: Runs the models, so that the event loop stays free.
        batching: How requests are put together; None for each by itself.
    """

    def __init__(
        self,
        models: Models,
        metrics: ServerMetrics,
        log: RequestLog,
        executor: Executor,
        batching: BatchingParameters | None,
    ) -> None:
        self.models, self.metrics, self.log = models, metrics, log
        self._executor = executor
        self._batcher = Batcher(batching, executor, self._run_batch) if batching else None

    async def run(
        self, servable: Servable, signature_name: str, inputs: Arrays, api: str
    ) -> Arrays:
        """Runs a signature.

        Args:
            servable: The model's version.
            signature_name: Which.
            inputs: By name.
            api: For the metrics: Predict, Classify, …

        Raises:
            ServingError: See `Servable.run`; UNAVAILABLE, if too much waits already.
        """
        started = time.perf_counter()
        outputs: Arrays
        if self._batcher is None:
            outputs = await self.off_the_loop(servable.run, signature_name, inputs)
        else:
            # Before it is mixed with others: what does not fit fails alone and at once.
            servable.check(signature_name, inputs)
            outputs = await self._batcher.run(servable, signature_name, inputs)
        micros = (time.perf_counter() - started) * 1e6
        self.metrics.runtime_latency.add(micros, servable.name, api, _RUNTIME)
        return outputs

    async def classify(
        self, servable: Servable, signature_name: str, message: Any
    ) -> Found[Classes]:
        """Runs a classify request.

        Args:
            servable: The model's version.
            signature_name: Empty for the default.
            message: The request's `Input`.

        Raises:
            ServingError: See `classification.py` and `run`.
        """
        name, inputs, outputs = await self._run_examples(
            servable, signature_name, message, classification.CLASSIFY
        )
        found = classification.classes_of(outputs, servable.signature(name), len(inputs))
        self._log(servable, prediction_logs.of_classify, name, message, found)
        return Found(servable, name, found)

    async def regress(
        self, servable: Servable, signature_name: str, message: Any
    ) -> Found[Sequence[float]]:
        """Runs a regress request; see `classify`."""
        name, inputs, outputs = await self._run_examples(
            servable, signature_name, message, classification.REGRESS
        )
        found = classification.values_of(outputs, servable.signature(name), len(inputs))
        self._log(servable, prediction_logs.of_regress, name, message, found)
        return Found(servable, name, found)

    async def _run_examples(
        self, servable: Servable, signature_name: str, message: Any, method: classification.Method
    ) -> tuple[str, np.ndarray, Arrays]:
        name, inputs = classification.inputs_of(servable, signature_name, message, method)
        api = "Classify" if method is classification.CLASSIFY else "Regress"
        outputs = await self.run(servable, name, inputs, api)
        (examples,) = inputs.values()
        return name, examples, outputs

    def log_predict(
        self, servable: Servable, signature_name: str, inputs: Arrays, outputs: Arrays
    ) -> None:
        """Logs a predict request, if it is sampled."""
        self._log(servable, prediction_logs.of_predict, signature_name, inputs, outputs)

    def _log(self, servable: Servable, make: Callable[..., Any], *arguments: Any) -> None:
        config = self.models.logging_of(servable.name)
        if config is not None and self.log.is_sampled(config):
            self.log.add(config, make(servable, *arguments))

    async def off_the_loop(self, work: Callable[..., Result], *arguments: Any) -> Result:
        """Does work in a thread of the executor."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, functools.partial(work, *arguments))

    @contextlib.contextmanager
    def measured(self, spec: ModelSpec, api: str, entrypoint: str) -> Iterator[None]:
        """Counts a request, and how long it takes."""
        started, code = time.perf_counter(), Code.OK
        try:
            yield
        except ServingError as error:
            code = error.code
            raise
        except asyncio.CancelledError:
            code = Code.CANCELLED
            raise
        except Exception:
            code = Code.INTERNAL
            raise
        finally:
            # Names that no model has are the clients' invention, and without bound.
            known = spec.name if self.models.has(spec.name) else ""
            self.metrics.request_count.add(known, code.name)
            if known and code is Code.OK:
                micros = (time.perf_counter() - started) * 1e6
                self.metrics.request_latency.add(micros, known, api, entrypoint)

    def _run_batch(self, servable: Servable, signature_name: str, inputs: Arrays) -> Arrays:
        first = next(iter(inputs.values()), None)
        if first is not None and first.ndim:
            self.metrics.batch_size.add(len(first), servable.name)
        return servable.run(signature_name, inputs)
