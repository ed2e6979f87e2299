"""Dynamic batching: requests that wait at the same time run as one batch.

While every batch thread is busy, requests gather; as soon as one is free, the oldest batch goes, at
once if it is full and else when its oldest request has waited for `batch_timeout_micros`. A batch
that fails is run again request by request, so that one bad request fails alone.

Everything here but the work itself happens on the event loop, so nothing is locked. Not for how
arrays are put together (`batches.py`).
"""

from __future__ import annotations

import asyncio
import collections
import dataclasses
from collections.abc import Callable, Hashable
from concurrent.futures import Executor
from typing import Any

import numpy as np

from serving import batches
from serving.batches import Arrays
from serving.batching_parameters import BatchingParameters
from serving.errors import Code, ServingError
from serving.servable import Servable

# What a batch is run by: servable, signature and inputs in, outputs out.
Run = Callable[[Servable, str, Arrays], Arrays]


@dataclasses.dataclass
class _Request:
    inputs: Arrays
    rows: int
    done: asyncio.Future[Arrays]


@dataclasses.dataclass
class _Batch:
    servable: Servable
    signature: str
    since: float
    requests: list[_Request] = dataclasses.field(default_factory=list)
    rows: int = 0


class Batcher:
    """Runs requests in batches.

    Args:
        parameters: How they are put together.
        executor: Has at least `num_batch_threads` threads.
        run: What runs a batch, in one of these threads.
    """

    def __init__(self, parameters: BatchingParameters, executor: Executor, run: Run) -> None:
        self._parameters = parameters
        self._executor = executor
        self._run = run
        # By what can go together; of each the oldest batch first, the last one still open.
        self._queues: dict[Hashable, collections.deque[_Batch]] = {}
        self._running = 0
        self._timer: asyncio.TimerHandle | None = None
        self._background: set[asyncio.Future[Any]] = set()

    async def run(self, servable: Servable, signature: str, inputs: Arrays) -> Arrays:
        """Runs a request, alone or together with others.

        Args:
            servable: The model's version.
            signature: The signature's name.
            inputs: By name, checked against the signature.

        Raises:
            ServingError: What running it raised; UNAVAILABLE, if too many batches wait.
        """
        parameters = self._parameters
        rows = batches.rows_of(inputs, servable.signature(signature))
        if rows > parameters.max_batch_size and parameters.enable_large_batch_splitting:
            return await self._run_in_parts(servable, signature, inputs, rows)
        if not 0 < rows <= parameters.max_batch_size:
            return await self._run_whole(servable, signature, inputs)
        request = _Request(inputs, rows, asyncio.get_running_loop().create_future())
        self._enqueue(servable, signature, request)
        self._dispatch()
        return await request.done

    async def _run_whole(self, servable: Servable, signature: str, inputs: Arrays) -> Arrays:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self._run, servable, signature, inputs)

    async def _run_in_parts(
        self, servable: Servable, signature: str, inputs: Arrays, rows: int
    ) -> Arrays:
        step = self._parameters.max_execution_batch_size or self._parameters.max_batch_size
        parts = await asyncio.gather(
            *(
                self.run(servable, signature, {n: a[i : i + step] for n, a in inputs.items()})
                for i in range(0, rows, step)
            )
        )
        sizes = [min(step, rows - i) for i in range(0, rows, step)]
        if any(
            batches.split(part, [size], size) is None
            for part, size in zip(parts, sizes, strict=True)
        ):
            # Some output has no row for each: that of the whole is not those of the parts.
            return await self._run_whole(servable, signature, inputs)
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def _enqueue(self, servable: Servable, signature: str, request: _Request) -> None:
        kind = batches.kind_of(request.inputs, pad=self._parameters.pad_variable_length_inputs)
        key = (servable.name, servable.version, id(servable), signature, kind)
        queue = self._queues.setdefault(key, collections.deque())
        full = not queue or queue[-1].rows + request.rows > self._parameters.max_batch_size
        if full and len(queue) >= self._parameters.max_enqueued_batches:
            raise ServingError(
                Code.UNAVAILABLE,
                "The batch scheduling queue to which this task was submitted is full; "
                f"currently {len(queue)} batches are enqueued",
            )
        if full:
            queue.append(_Batch(servable, signature, asyncio.get_running_loop().time()))
        queue[-1].requests.append(request)
        queue[-1].rows += request.rows

    def _dispatch(self) -> None:
        """Starts what is due and finds a thread, and has the rest looked at again."""
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        timeout = self._parameters.batch_timeout_micros / 1e6
        while self._running < self._parameters.num_batch_threads and self._queues:
            key = min(self._queues, key=lambda key: self._due(self._queues[key], timeout))
            due = self._due(self._queues[key], timeout)
            if due > loop.time():
                self._timer = loop.call_at(due, self._dispatch)
                return
            batch = self._queues[key].popleft()
            if not self._queues[key]:
                del self._queues[key]
            # Clients that have gone need no answer.
            batch.requests = [request for request in batch.requests if not request.done.done()]
            batch.rows = sum(request.rows for request in batch.requests)
            if batch.requests:
                self._running += 1
                task = asyncio.ensure_future(self._work(batch))
                self._background.add(task)
                task.add_done_callback(self._background.discard)

    def _due(self, queue: collections.deque[_Batch], timeout: float) -> float:
        """When a queue's oldest batch may run; a full one, or one with another behind, may now."""
        oldest = queue[0]
        if len(queue) > 1 or oldest.rows >= self._parameters.max_batch_size:
            return oldest.since
        return oldest.since + timeout

    async def _work(self, batch: _Batch) -> None:
        loop = asyncio.get_running_loop()
        try:
            results = await loop.run_in_executor(self._executor, self._results, batch)
        except BaseException as error:  # the executor was shut down
            results = [error] * len(batch.requests)
        finally:
            self._running -= 1
        for request, result in zip(batch.requests, results, strict=True):
            if request.done.done():
                continue
            if isinstance(result, BaseException):
                request.done.set_exception(result)
            else:
                request.done.set_result(result)
        self._dispatch()

    def _results(self, batch: _Batch) -> list[Arrays | BaseException]:
        """Outputs, or an error, of each request of a batch; runs on the executor."""
        requests = [request.inputs for request in batch.requests]
        try:
            inputs = batches.joined(requests, self._parameters.allowed_batch_sizes)
            rows = len(next(iter(inputs.values())))
            outputs = self._run(batch.servable, batch.signature, inputs)
            results = batches.split(outputs, [request.rows for request in batch.requests], rows)
            if results is not None:
                return list(results)
            if len(requests) == 1 and rows == batch.rows:
                return [outputs]
        except Exception as error:
            if len(requests) == 1:
                return [error]
        return [self._alone(batch, inputs) for inputs in requests]

    def _alone(self, batch: _Batch, inputs: Arrays) -> Arrays | BaseException:
        try:
            return self._run(batch.servable, batch.signature, inputs)
        except Exception as error:
            return error
