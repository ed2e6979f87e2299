"""How fast, and how long still: against the clock of things that go on as they are told to."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.pace import CountPace, Pace, TrainingPace, in_words

seconds = st.floats(0, 1e5)
amounts = st.integers(0, 10**6)


def test_a_steady_pace_is_found_exactly() -> None:
    pace = Pace()
    for _ in range(5):
        pace.add(30.0, 2.0)
    assert pace.rate == pytest.approx(15.0)
    assert pace.left(45.0) == pytest.approx(3.0)
    assert pace.left(-1.0) == 0.0


def test_another_speed_is_followed_soon_and_without_a_jump() -> None:
    pace = Pace(half_life=60.0)
    for _ in range(600):
        pace.add(10.0, 1.0)
    rates = []
    for _ in range(600):
        pace.add(2.0, 1.0)
        rates.append(pace.rate or 0.0)
    assert max(before - after for before, after in itertools.pairwise([10.0, *rates])) < 0.2
    # After one half-life as much weight is on the new speed as on the old one.
    assert rates[59] == pytest.approx(6.0, rel=0.02)
    assert rates[-1] == pytest.approx(2.0, rel=0.01)


@given(st.lists(st.tuples(amounts, seconds), max_size=30), st.floats(-1e6, 1e6))
def test_neither_rate_nor_rest_is_ever_negative(parts, amount) -> None:
    pace = Pace()
    for done, took in parts:
        pace.add(done, took)
    rate, left = pace.rate, pace.left(amount)
    assert rate is None or rate > 0.0
    assert left is None or left >= 0.0


def test_too_little_time_says_nothing() -> None:
    pace = Pace()
    pace.add(100.0, 0.0)
    pace.add(100.0, 0.5)
    assert pace.rate is None and pace.left(10.0) is None
    pace.add(0.0, 0.6)
    assert pace.rate == pytest.approx(200.0 / 1.1, rel=0.01)


def test_what_came_before_the_first_report_does_not_count() -> None:
    pace = CountPace()
    pace.reach(5, 60.0)
    assert (pace.done, pace.rate, pace.left(100)) == (5, None, None)
    pace.reach(25, 62.0)
    assert pace.rate == pytest.approx(10.0)
    assert pace.left(100) == pytest.approx(7.5)
    assert pace.left(25) is None


class Training:
    """Steps and validations that take as long as they are told to, on a clock of its own."""

    def __init__(self, epochs: int, steps: int, step: float, validation: float) -> None:
        self.pace = TrainingPace()
        self.now = 1000.0
        self.estimates: list[tuple[float, float]] = []  # (time, seconds left)
        for epoch in range(1, epochs + 1):
            # The first step is traced, and so is the first validation.
            for number in range(1, steps + 1):
                self.now += step + (40.0 if (epoch, number) == (1, 1) else 0.0)
                self.pace.step(epoch, epochs, number, steps, self.now)
                self.note()
            for _ in range(4):
                self.now += (validation + (8.0 if epoch == 1 else 0.0)) / 4
                self.note()
            self.pace.end_epoch(epoch, epochs, self.now)
            self.note()

    def note(self) -> None:
        if (left := self.pace.left(self.now)) is not None:
            self.estimates.append((self.now, left))


def test_a_steady_training_ends_when_it_was_said_to() -> None:
    steps, step, validation = 20, 1.5, 6.0
    training = Training(8, steps, step, validation)
    each = steps * step + validation
    for now, left in training.estimates:
        real = training.now - now
        if real > 7 * each:  # the first epoch: validation is not known yet
            assert left <= real + 1e-6
        elif real > 6 * each - 1e-6:  # the second: only a validation that was traced is known
            assert left == pytest.approx(real, abs=7 * (8.0 + step))
        else:
            assert left == pytest.approx(real, abs=1e-6)
    assert training.estimates[-1][1] == 0.0


@given(st.integers(1, 4), st.integers(1, 6), st.floats(0, 50), st.floats(0, 500))
def test_a_training_never_takes_less_than_no_time(epochs, steps, step, validation) -> None:
    training = Training(epochs, steps, step, validation)
    assert all(left >= 0.0 for _, left in training.estimates)


def test_a_training_that_goes_on_is_not_misled_by_what_it_missed() -> None:
    pace = TrainingPace()
    for number in range(1, 11):
        pace.step(7, 8, number, 10, 100.0 + number)
    known = [pace.knows_epochs]
    pace.end_epoch(7, 8, 115.0)
    known.append(pace.knows_epochs)
    assert known == [False, True]
    assert pace.left(115.0) == pytest.approx(14.0, abs=1.1)


@pytest.mark.parametrize(
    ("given_seconds", "words"),
    [(0.2, "0 s"), (99.4, "99 s"), (100, "2 min"), (3590, "1 h 00 min"), (3900, "1 h 05 min")],
)
def test_durations_are_said_as_people_say_them(given_seconds: float, words: str) -> None:
    assert in_words(given_seconds) == words
