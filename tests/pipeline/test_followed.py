"""What log lines say of how far a component is; the lines are written by those who write them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import pytest

from pipeline.followed import FollowedWork
from tests.clock import use_clock


@pytest.fixture
def follow() -> Iterator[Callable[[FollowedWork, Callable[[], float]], None]]:
    """Gives `follow(work, clock)`, which has the work read all that is logged from then on."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.INFO)
    handlers = []

    def start(work: FollowedWork, clock: Callable[[], float]) -> None:
        handler = logging.Handler(logging.INFO)
        handler.emit = lambda record: work.read(record.getMessage(), clock())  # type: ignore[method-assign,assignment]
        logger.addHandler(handler)
        handlers.append(handler)

    yield start
    for handler in handlers:
        logger.removeHandler(handler)
    logger.setLevel(level)


def test_what_components_report_is_understood(follow, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainer_module import progress_log

    now = [100.0]
    use_clock(monkeypatch, "trainer_module.progress_log", now)
    work = FollowedWork(images=None)
    follow(work, lambda: now[0])

    progress_log.report("starting the server, which loads the model")
    assert work.words(now[0]) == "starting the server, which loads the model"

    requests = progress_log.Countdown("timed requests", 40)
    for _ in range(20):
        now[0] += 0.5
        requests.add()
    # Not each is reported, but one a second.
    assert work.words(now[0]).startswith("timed requests 19/40  2.0/s  1")
    for _ in range(20):
        now[0] += 0.5
        requests.add()
    assert work.words(now[0]) == "timed requests 40/40  2.0/s"
    again = progress_log.Countdown("timed requests", 40)
    again.add()
    assert work.words(now[0]) == "timed requests 1/40"

    counter = progress_log.ImageCounter()
    for _ in range(3):
        now[0] += 2.0
        counter.add(10)
    assert work.words(now[0]) == "30 images  5.0 images/s"


def test_training_says_epoch_rate_and_rest(follow, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainer_module.callbacks import LogProgress

    now = [100.0]
    use_clock(monkeypatch, "trainer_module.callbacks", now)
    callback = LogProgress(epochs=3, batch_size=16)
    callback.set_params({"steps": 10})
    work = FollowedWork()
    follow(work, lambda: now[0])

    callback.on_train_begin()
    assert work.words(now[0]) == "tracing the training step"
    callback.on_epoch_begin(0)
    for batch in range(10):
        now[0] += 2.0
        callback.on_train_batch_end(batch)
        if batch == 4:
            assert work.words(now[0]) == "epoch 1/3  step 5/10  8.0 images/s  at least 50 s left"
    assert work.words(now[0]) == "epoch 1/3  validation  8.0 images/s  at least 40 s left"
    now[0] += 5.0
    # Nine steps and a validation were measured, and count for a whole epoch.
    assert work.read_epoch("Epoch 1/3  loss 1.5  accuracy 0.25", now[0]) == (
        "1/3",
        "loss 1.5  accuracy 0.25",
        pytest.approx(2 * (9 * 2.0 + 5.0)),
    )
    assert work.read_epoch("Progress: reading.", now[0]) is None


def test_other_lines_say_nothing() -> None:
    work = FollowedWork(10)
    assert not work.read("MetadataStore with DB connection initialized", 1.0)
    assert work.words(1.0) == ""
