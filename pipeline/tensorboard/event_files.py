"""TensorBoard's event files: copied from where the Trainer wrote them, and written.

What is written is made in `hparams.py`.
"""

from __future__ import annotations

import os
import pathlib
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary

# What their names begin with.
EVENTS = "events.out.tfevents."


def copy_events(model_run: str, folder: pathlib.Path) -> None:
    """Copies the Trainer's event files, in the folders that they are in.

    Args:
        model_run: URI of its artifact.
        folder: On this machine.
    """
    import tensorflow as tf

    logs = os.path.join(model_run, "tensorboard")
    for place, _, files in tf.io.gfile.walk(logs):
        for name in files:
            if name.startswith(EVENTS):
                target = folder / os.path.relpath(place, logs)
                target.mkdir(parents=True, exist_ok=True)
                tf.io.gfile.copy(os.path.join(place, name), str(target / name))


def write_events(folder: pathlib.Path, summaries: Iterable[Summary]) -> None:
    """Writes summaries into an event file of their own."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(folder))
    for summary in summaries:
        writer.add_event(Event(wall_time=time.time(), summary=summary))
    writer.close()


def scalar(tag: str, value: float) -> Summary:
    """Returns a point of a curve."""
    from tensorboard.plugins.scalar.summary import scalar_pb

    return scalar_pb(tag, value)
