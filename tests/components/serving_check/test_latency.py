"""Latency: what is measured, when it is measured again, and when it is given up."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from components.serving_check import latency
from components.serving_check.latency import measure_latency


@pytest.fixture
def answers_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[Iterator[float]], Callable]:
    """Gives a request that takes so many milliseconds each time, on a clock that obeys."""

    def make(durations: Iterator[float]) -> Callable[[int], None]:
        now = [0.0]
        monkeypatch.setattr(latency.time, "perf_counter", lambda: now[0])

        def ask(number: int) -> None:
            now[0] += next(durations) / 1000

        return ask

    return make


def test_percentiles_are_those_of_the_sample(answers_in) -> None:
    sample = np.random.default_rng(0).lognormal(size=40)
    found = measure_latency(answers_in(iter(sample)), 40, None)
    assert found.requests == 40
    assert found.median_ms == pytest.approx(np.median(sample), abs=1e-3)
    assert found.p95_ms == pytest.approx(np.sort(sample)[37], abs=1e-3)  # 38 of 40 are 95 %


def test_real_time_is_measured() -> None:
    found = measure_latency(lambda number: time.sleep(0.02), 5, None)
    assert 20.0 <= found.median_ms < 200.0


def test_the_best_of_three_rounds_counts(answers_in) -> None:
    rounds = [[100.0] * 3, [1.0] * 40, [0.5] * 40]  # the first is given up at the third
    asked = answers_in(duration for part in rounds for duration in part)
    found = measure_latency(asked, 40, 10.0)
    assert (found.median_ms, found.requests) == (1.0, 40)
    assert found.is_within(10.0) and found.is_within(None) and not found.is_within(0.9)


def test_a_slow_model_is_given_up_soon(answers_in) -> None:
    durations = iter([50.0] * 1000)
    found = measure_latency(answers_in(durations), 40, 10.0)
    assert not found.is_within(10.0) and found.p95_ms == 50.0
    assert 1000 - len(list(durations)) == 3 * 3


def test_a_few_slow_answers_do_not_count(answers_in) -> None:
    found = measure_latency(answers_in(iter([500.0, 500.0, *[1.0] * 38])), 40, 10.0)
    assert found.is_within(10.0) and found.requests == 40
