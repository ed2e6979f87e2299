"""Dynamic batching on a real event loop and real threads, with a model that says what it was given.

The model multiplies by ten; a row of −1 it refuses. Where a test needs the threads to be busy, the
model waits at a gate.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from serving.batching import Batcher
from serving.batching_parameters import BatchingParameters
from serving.errors import Code, ServingError, invalid_argument
from serving.signatures import Signature, TensorSpec

LONG = 60_000_000  # microseconds
ANY = (None,)


class Model:
    """Stands in for a servable: its name, version and signatures."""

    def __init__(self, version: int = 1) -> None:
        self.name, self.version = "m", version

    def signature(self, name: str) -> Signature:
        return Signature({"x": TensorSpec("float", ANY)}, {"y": TensorSpec("float", ANY)})


class Runner:
    """What runs a batch: notes the rows of each, and waits at the gate while it is closed."""

    def __init__(self) -> None:
        self.batches: list[list] = []
        self.gate = threading.Event()
        self.gate.set()
        self.at_once = self.most_at_once = 0
        self._lock = threading.Lock()

    def __call__(self, servable, signature, inputs):
        with self._lock:
            self.batches.append(inputs["x"].tolist())
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        assert self.gate.wait(20)
        with self._lock:
            self.at_once -= 1
        if (inputs["x"] == -1).any():
            raise invalid_argument("a row of -1")
        if signature == "total":
            return {"y": inputs["x"] * 10, "total": inputs["x"].sum()}
        if signature == "twice":
            return {"y": np.concatenate([inputs["x"], inputs["x"]])}
        return {"y": inputs["x"] * 10}


class Bench:
    """A batcher, and what it runs."""

    def __init__(self, runner: Runner, executor, **parameters) -> None:
        self.runner = runner
        self.model: Any = Model()
        self.batcher = Batcher(BatchingParameters(**parameters), executor, runner)

    async def ask(self, *rows, signature="y", model=None):
        inputs = {"x": np.array(rows, np.float32)}
        outputs = await self.batcher.run(model or self.model, signature, inputs)
        return {name: np.asarray(array).tolist() for name, array in outputs.items()}

    def start(self, *rows, **options) -> asyncio.Task:
        return asyncio.ensure_future(self.ask(*rows, **options))

    @contextlib.asynccontextmanager
    async def busy(self, batches: int = 1):
        """Keeps so many threads busy with a request, until the block ends."""
        self.runner.gate.clear()
        blockers = []
        for _ in range(batches):
            before = len(self.runner.batches)
            blockers.append(self.start(0.0, model=Model(version=99)))
            while len(self.runner.batches) == before:
                await asyncio.sleep(0.001)
        self.runner.batches.clear()
        try:
            yield
        finally:
            self.runner.gate.set()
            await asyncio.gather(*blockers)


@pytest.fixture
def bench():
    runner = Runner()
    with ThreadPoolExecutor(4) as executor:

        def make(**parameters):
            return Bench(runner, executor, **{"num_batch_threads": 1, **parameters})

        yield make
        runner.gate.set()


class TestForming:
    def test_an_idle_server_lets_nobody_wait(self, bench):
        found = bench()
        assert asyncio.run(found.ask(1.0, 2.0)) == {"y": [10.0, 20.0]}
        assert found.runner.batches == [[1.0, 2.0]]

    def test_what_waits_for_a_thread_goes_together(self, bench):
        found = bench()

        async def run():
            async with found.busy():
                tasks = [found.start(n, n + 0.5) for n in (1.0, 2.0, 3.0)]
                await asyncio.sleep(0.01)
                assert found.runner.batches == []
            return await asyncio.gather(*tasks)

        answers = asyncio.run(run())
        assert answers == [{"y": [n * 10, n * 10 + 5]} for n in (1.0, 2.0, 3.0)]
        assert found.runner.batches == [[1.0, 1.5, 2.0, 2.5, 3.0, 3.5]]

    def test_a_full_batch_goes_at_once(self, bench):
        found = bench(max_batch_size=3, batch_timeout_micros=LONG)

        async def run():
            tasks = [found.start(n) for n in (1.0, 2.0)]
            await asyncio.sleep(0.05)
            assert found.runner.batches == []
            tasks.append(found.start(3.0))
            return await asyncio.wait_for(asyncio.gather(*tasks), 5)

        assert asyncio.run(run()) == [{"y": [10.0]}, {"y": [20.0]}, {"y": [30.0]}]
        assert found.runner.batches == [[1.0, 2.0, 3.0]]

    def test_one_that_does_not_fit_sends_the_batch_before_it(self, bench):
        found = bench(max_batch_size=3, batch_timeout_micros=LONG)

        async def run():
            first = found.start(1.0, 2.0)
            await asyncio.sleep(0.01)
            second = found.start(3.0, 4.0)
            assert await asyncio.wait_for(first, 5) == {"y": [10.0, 20.0]}
            third = found.start(5.0)
            return await asyncio.wait_for(asyncio.gather(second, third), 5)

        assert asyncio.run(run()) == [{"y": [30.0, 40.0]}, {"y": [50.0]}]
        assert found.runner.batches == [[1.0, 2.0], [3.0, 4.0, 5.0]]

    def test_the_timeout_counts_from_the_first_request(self, bench):
        found = bench(batch_timeout_micros=1_500_000)

        async def run():
            begin = time.monotonic()
            first = found.start(1.0)
            await asyncio.sleep(1.0)
            begin_of_second = time.monotonic()
            second = found.start(2.0)
            await asyncio.gather(first, second)
            end = time.monotonic()
            assert end - begin >= 1.5 > end - begin_of_second

        asyncio.run(run())
        assert found.runner.batches == [[1.0, 2.0]]

    def test_only_what_is_of_one_kind(self, bench):
        found = bench()

        async def run():
            async with found.busy():
                tasks = [
                    found.start(1.0),
                    found.start(2.0, signature="other"),
                    found.start(3.0, model=Model(version=2)),
                    found.start([4.0, 4.5]),
                    found.start(5.0),
                    found.start([6.0, 6.5]),
                ]
                await asyncio.sleep(0)
            return await asyncio.gather(*tasks)

        answers = asyncio.run(run())
        assert [a["y"] for a in answers] == [
            [10.0],
            [20.0],
            [30.0],
            [[40.0, 45.0]],
            [50.0],
            [[60.0, 65.0]],
        ]
        assert found.runner.batches == [
            [1.0, 5.0],
            [2.0],
            [3.0],
            [[4.0, 4.5], [6.0, 6.5]],
        ]  # the oldest first

    def test_as_many_batches_at_once_as_there_are_threads(self, bench):
        found = bench(num_batch_threads=2, max_batch_size=1)

        async def run():
            async with found.busy(2):
                tasks = [found.start(float(n)) for n in range(6)]
                await asyncio.sleep(0.05)
                assert found.runner.batches == []
            return await asyncio.gather(*tasks)

        assert asyncio.run(run()) == [{"y": [n * 10.0]} for n in range(6)]
        assert found.runner.most_at_once == 2

    def test_requests_of_scalars_and_of_nothing_run_alone(self, bench):
        found = bench()

        async def run():
            scalar = await found.batcher.run(found.model, "y", {"x": np.float32(4)})
            nothing = await found.batcher.run(found.model, "y", {"x": np.zeros(0, np.float32)})
            return float(scalar["y"]), nothing["y"].tolist()

        assert asyncio.run(run()) == (40.0, [])


class TestLimits:
    def test_a_full_queue_refuses(self, bench):
        found = bench(max_batch_size=2, max_enqueued_batches=2)

        async def run():
            async with found.busy():
                waiting = [found.start(1.0, 2.0), found.start(3.0, 4.0)]
                await asyncio.sleep(0.01)
                with pytest.raises(ServingError) as caught:
                    await found.ask(5.0)
                # Another signature has a queue of its own.
                waiting.append(found.start(6.0, signature="other"))
            return caught.value, await asyncio.gather(*waiting)

        error, answers = asyncio.run(run())
        assert error.code is Code.UNAVAILABLE
        assert error.message == (
            "The batch scheduling queue to which this task was submitted is full; "
            "currently 2 batches are enqueued"
        )
        assert [a["y"] for a in answers] == [[10.0, 20.0], [30.0, 40.0], [60.0]]

    def test_what_still_fits_into_the_last_batch_is_taken(self, bench):
        found = bench(max_batch_size=2, max_enqueued_batches=1)

        async def run():
            async with found.busy():
                tasks = [found.start(1.0), found.start(2.0)]
                await asyncio.sleep(0.01)
            return await asyncio.gather(*tasks)

        assert [a["y"] for a in asyncio.run(run())] == [[10.0], [20.0]]

    def test_a_request_larger_than_a_batch_runs_alone(self, bench):
        found = bench(max_batch_size=2)
        assert asyncio.run(found.ask(1.0, 2.0, 3.0)) == {"y": [10.0, 20.0, 30.0]}
        assert found.runner.batches == [[1.0, 2.0, 3.0]]

    def test_or_in_parts(self, bench):
        found = bench(max_batch_size=4, enable_large_batch_splitting=True)
        rows = [float(n) for n in range(10)]
        assert asyncio.run(found.ask(*rows)) == {"y": [n * 10 for n in rows]}
        assert found.runner.batches == [rows[:4], rows[4:8], rows[8:]]

    def test_of_another_size(self, bench):
        found = bench(
            max_batch_size=4, enable_large_batch_splitting=True, max_execution_batch_size=3
        )
        rows = [float(n) for n in range(7)]
        assert asyncio.run(found.ask(*rows)) == {"y": [n * 10 for n in rows]}
        assert max(map(len, found.runner.batches)) <= 4
        assert sum(found.runner.batches, []) == rows

    @pytest.mark.parametrize(
        ("signature", "answer"),
        [
            ("total", {"y": [10.0, 20.0, 30.0], "total": 6.0}),
            ("twice", {"y": [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]}),
        ],
    )
    def test_what_has_no_row_each_is_not_put_together_from_parts(self, bench, signature, answer):
        found = bench(max_batch_size=2, enable_large_batch_splitting=True)
        assert asyncio.run(found.ask(1.0, 2.0, 3.0, signature=signature)) == answer

    def test_an_error_in_a_part_is_the_error_of_the_request(self, bench):
        found = bench(max_batch_size=2, enable_large_batch_splitting=True)
        with pytest.raises(ServingError, match="a row of -1"):
            asyncio.run(found.ask(1.0, 2.0, 3.0, -1.0, 5.0))

    def test_allowed_sizes(self, bench):
        found = bench(max_batch_size=8, allowed_batch_sizes=(2, 4, 8))

        async def run():
            async with found.busy():
                tasks = [found.start(1.0), found.start(2.0, 3.0)]
                await asyncio.sleep(0.01)
            together = await asyncio.gather(*tasks)
            return together, await found.ask(4.0), await found.ask(5.0, 6.0)

        together, alone, exact = asyncio.run(run())
        assert [a["y"] for a in together] == [[10.0], [20.0, 30.0]]
        assert (alone["y"], exact["y"]) == ([40.0], [50.0, 60.0])
        assert found.runner.batches == [[1.0, 2.0, 3.0, 3.0], [4.0, 4.0], [5.0, 6.0]]

    def test_lengths_that_differ(self, bench):
        found = bench(pad_variable_length_inputs=True)

        async def run():
            async with found.busy():
                tasks = [found.start([1.0, 2.0]), found.start([3.0]), found.start(4.0)]
                await asyncio.sleep(0.01)
            return await asyncio.gather(*tasks)

        answers = asyncio.run(run())
        assert [a["y"] for a in answers] == [[[10.0, 20.0]], [[30.0, 0.0]], [40.0]]
        assert found.runner.batches == [[[1.0, 2.0], [3.0, 0.0]], [4.0]]


class TestFailures:
    def test_only_the_bad_request_fails(self, bench):
        found = bench()

        async def run():
            async with found.busy():
                tasks = [found.start(1.0), found.start(2.0, -1.0), found.start(3.0)]
                await asyncio.sleep(0.01)
            return await asyncio.gather(*tasks, return_exceptions=True)

        first, second, third = asyncio.run(run())
        assert first == {"y": [10.0]} and third == {"y": [30.0]}
        assert isinstance(second, ServingError)
        assert (second.code, second.message) == (Code.INVALID_ARGUMENT, "a row of -1")
        assert found.runner.batches == [[1.0, 2.0, -1.0, 3.0], [1.0], [2.0, -1.0], [3.0]]

    def test_a_request_alone_in_its_batch_is_not_tried_twice(self, bench):
        found = bench()
        with pytest.raises(ServingError, match="a row of -1"):
            asyncio.run(found.ask(-1.0))
        assert found.runner.batches == [[-1.0]]

    @pytest.mark.parametrize(
        ("signature", "answers"),
        [
            ("total", [{"y": [10.0], "total": 1.0}, {"y": [20.0, 30.0], "total": 5.0}]),
            ("twice", [{"y": [1.0, 1.0]}, {"y": [2.0, 3.0, 2.0, 3.0]}]),
        ],
    )
    def test_outputs_without_a_row_each_are_run_for_each_request(self, bench, signature, answers):
        found = bench()

        async def run():
            async with found.busy():
                tasks = [found.start(1.0, signature=signature)]
                tasks.append(found.start(2.0, 3.0, signature=signature))
                await asyncio.sleep(0.01)
            return await asyncio.gather(*tasks)

        assert asyncio.run(run()) == answers

    def test_nor_are_they_given_what_a_batch_was_filled_up_with(self, bench):
        found = bench(max_batch_size=4, allowed_batch_sizes=(4,))
        answer = asyncio.run(found.ask(1.0, 2.0, signature="total"))
        assert answer == {"y": [10.0, 20.0], "total": 3.0}

    def test_a_client_that_has_gone_is_left_out(self, bench):
        found = bench()

        async def run():
            async with found.busy():
                gone, stays = found.start(1.0), found.start(2.0)
                await asyncio.sleep(0.01)
                gone.cancel()
            with pytest.raises(asyncio.CancelledError):
                await gone
            return await stays

        assert asyncio.run(run()) == {"y": [20.0]}
        assert found.runner.batches == [[2.0]]

    def test_a_batch_all_of_whose_clients_have_gone_is_not_run(self, bench):
        found = bench()

        async def run():
            async with found.busy():
                gone = [found.start(1.0), found.start(2.0)]
                await asyncio.sleep(0.01)
                for task in gone:
                    task.cancel()
                other = found.start(3.0, signature="other")
                await asyncio.sleep(0.01)
            return await other

        assert asyncio.run(run()) == {"y": [30.0]}
        assert found.runner.batches == [[3.0]]

    def test_a_client_that_goes_while_its_batch_runs_disturbs_nobody(self, bench):
        found = bench(max_batch_size=2, batch_timeout_micros=LONG)

        async def run():
            found.runner.gate.clear()
            gone, stays = found.start(1.0), found.start(2.0)
            while not found.runner.batches:
                await asyncio.sleep(0.001)
            gone.cancel()
            found.runner.gate.set()
            return await asyncio.wait_for(stays, 5)

        assert asyncio.run(run()) == {"y": [20.0]}

    def test_after_a_shutdown_nobody_waits_for_ever(self):
        runner = Runner()
        executor = ThreadPoolExecutor(1)
        found = Bench(runner, executor, num_batch_threads=1)
        executor.shutdown()

        async def run():
            return await asyncio.wait_for(found.ask(1.0), 5)

        with pytest.raises(RuntimeError, match="shutdown"):
            asyncio.run(run())


def test_many_requests_of_all_sizes_get_their_own_answers(bench):
    found = bench(
        num_batch_threads=3,
        max_batch_size=16,
        batch_timeout_micros=500,
        max_enqueued_batches=1000,
        allowed_batch_sizes=(4, 16),
        enable_large_batch_splitting=True,
    )
    random = np.random.default_rng(0)
    requests = [random.integers(0, 1000, random.integers(1, 40)).tolist() for _ in range(300)]

    async def run():
        async def later(rows):
            await asyncio.sleep(random.uniform(0, 0.05))
            return await found.ask(*rows)

        return await asyncio.gather(*map(later, requests))

    answers = asyncio.run(run())
    assert [a["y"] for a in answers] == [[row * 10.0 for row in rows] for rows in requests]
    assert {len(batch) for batch in found.runner.batches} == {4, 16}
