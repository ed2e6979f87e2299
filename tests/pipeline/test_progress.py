"""Following a run by its log lines."""

from __future__ import annotations

import io
import logging

import pytest
from rich.console import Console

from pipeline.progress import ProgressHandler


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
