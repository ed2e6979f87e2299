"""Following a run by its log lines."""

from __future__ import annotations

import io
import logging

import pytest
from rich.console import Console

from pipeline.progress import ProgressHandler
from tests.clock import use_clock


@pytest.fixture
def followed() -> tuple[ProgressHandler, io.StringIO]:
    screen = io.StringIO()
    handler = ProgressHandler(Console(file=screen, width=80), ["Trainer", "Pusher"])
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.INFO)
    with handler:
        for line in (
            "Component Trainer is running.",
            "something else",
            "Epoch 1/2  accuracy 0.5  center_loss 0.1  loss 1.25  val_recall_at_1 0.4",
            "Component Trainer is finished.",
            "Component Pusher is running.",
            "A cached execution 12 is used.",
        ):
            logger.info(line)
    logger.info("Component Pusher is finished.")  # after the handler was taken away
    logger.setLevel(level)
    return handler, screen


def test_steps_are_recorded(followed: tuple[ProgressHandler, io.StringIO]) -> None:
    trainer, pusher = followed[0].steps
    assert (trainer.id, trainer.cached) == ("Trainer", False)
    assert trainer.seconds is not None and trainer.seconds >= 0
    assert (pusher.id, pusher.cached, pusher.seconds) == ("Pusher", True, None)
    assert followed[0].running is pusher


def test_lines_are_short(followed: tuple[ProgressHandler, io.StringIO]) -> None:
    epoch, finished = followed[1].getvalue().splitlines()
    assert epoch.split() == [
        "epoch",
        "1/2",
        "loss",
        "1.25",
        "accuracy",
        "0.5",
        "val_recall_at_1",
        "0.4",
    ]
    assert finished.split()[:3] == ["[", "1/2]", "Trainer"]


def test_on_a_terminal_a_line_follows_the_running_component(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [100.0]
    use_clock(monkeypatch, "pipeline.progress", clock)
    screen = io.StringIO()
    console = Console(file=screen, width=100, force_terminal=True, color_system=None)
    handler = ProgressHandler(console, ["Trainer", "Evaluator"], {"Evaluator": 1000})

    def log(message: str, seconds: float) -> str:
        clock[0] += seconds
        handler.emit(logging.LogRecord("absl", logging.INFO, "", 0, message, None, None))
        with console.capture() as capture:
            console.print(handler._status())
        return " ".join(capture.get().split()[1:])  # without the spinner's dot

    log("Component Trainer is running.", 0)
    line = log("Progress: tracing the training step.", 0)
    assert line == "[ 1/2] Trainer 0 s tracing the training step"
    line = log("Progress: epoch 1/6 step 1/20 of 32 images.", 12)
    assert line == "[ 1/2] Trainer 12 s epoch 1/6 step 1/20"
    line = log("Progress: epoch 1/6 step 11/20 of 32 images.", 5)  # two steps a second
    assert line == "[ 1/2] Trainer 17 s epoch 1/6 step 11/20 64 images/s at least 54 s left"
    log("Component Trainer is finished.", 1)
    line = log("Component Evaluator is running.", 0)
    assert line == "[ 2/2] Evaluator 0 s"
    line = log("Progress: 100 more images.", 5)
    assert line == "[ 2/2] Evaluator 5 s 100/1000 images"
    line = log("Progress: 150 more images.", 3)
    assert line == "[ 2/2] Evaluator 8 s 250/1000 images 50 images/s 15 s left"
    line = log("Progress: comparing.", 1)
    assert line == "[ 2/2] Evaluator 9 s comparing"


def test_where_lines_stay_a_long_component_says_once_a_minute_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [100.0]
    use_clock(monkeypatch, "pipeline.progress", clock)
    screen = io.StringIO()
    handler = ProgressHandler(Console(file=screen, width=80), ["Embedder"], {"Embedder": 1500})

    def log(message: str, seconds: float = 0.0) -> None:
        clock[0] += seconds
        handler.emit(logging.LogRecord("absl", logging.INFO, "", 0, message, None, None))

    log("Component Embedder is running.")
    for _ in range(130):
        log("Progress: 10 more images.", 1)
    log("Component Embedder is finished.")
    assert screen.getvalue().split("\n") == [
        "          Embedder  600/1500 images  10 images/s  90 s left",
        "          Embedder  1200/1500 images  10 images/s  30 s left",
        "  [ 1/1] Embedder   130.0 s",
        "",
    ]


def test_a_finished_component_leaves_nothing_on_the_line_below() -> None:
    screen = io.StringIO()
    console = Console(file=screen, width=100, force_terminal=True, color_system=None)
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        with ProgressHandler(console, ["Trainer", "Pusher"]) as handler:
            logger.info("Component Trainer is running.")
            handler._live.refresh()
            before = len(screen.getvalue())
            logger.info("Component Trainer is finished.")
            printed = screen.getvalue()[before:]
    finally:
        logger.setLevel(level)
    # Once as it finished; the live line is not drawn below it again.
    assert printed.count("Trainer") == 1


def test_what_workers_report_adds_up() -> None:
    from trainer_module.progress_log import ImageCounter

    handler = ProgressHandler(Console(file=io.StringIO()), ["Evaluator"], {"Evaluator": 50})
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.INFO)
    try:
        with handler:
            logger.info("Component Evaluator is running.")
            for images in (20, 17):
                counter = ImageCounter()
                counter.add(images - 1)
                counter.add(1)
                counter.flush()
                counter.flush()
    finally:
        logger.setLevel(level)
    assert handler._work.words(0.0).startswith("37/50 images")
