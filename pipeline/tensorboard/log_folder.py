"""Prepares the folder that TensorBoard reads, `WORKDIR/tensorboard`.

A folder for each training, by the name of the run that did it: the Trainer's event files, the
settings and final metrics, and the embeddings. One that is there and still right is left as it is.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import pathlib
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline.run_records import RunRecord, records, settings_of
from pipeline.tensorboard.event_files import EVENTS, copy_events, scalar, write_events
from pipeline.tensorboard.hparams import (
    Value,
    experiment_summary,
    final_metrics,
    session_summaries,
    settings_as_values,
)
from pipeline.tensorboard.trainings import Training, find_trainings

FOLDER = "tensorboard"
# Changes when what is written does, so that folders of earlier versions are made anew.
FORMAT = 1

_PREPARED = "prepared.json"


class TensorBoardError(OSError):
    """There is nothing to show, or it cannot be shown; the message says why and what to do."""


@dataclasses.dataclass(frozen=True)
class Shown:
    """A training in the log folder.

    Attributes:
        training: What it is.
        anew: Whether it was prepared now; False if it was there.
        lacks: What it has not got, and why, in words.
    """

    training: Training
    anew: bool
    lacks: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Prepared:
    """The log folder.

    Attributes:
        folder: Its path.
        shown: The trainings that were asked for, oldest first.
        left_out: Why a run is not shown, by its name.
    """

    folder: pathlib.Path
    shown: tuple[Shown, ...]
    left_out: dict[str, str]


def prepare(
    workdir: pathlib.Path,
    wanted: Sequence[RunRecord] = (),
    tell: Callable[[str], None] = lambda _: None,
) -> Prepared:
    """Brings the log folder of a workdir up to date.

    Args:
        workdir: Where runs were.
        wanted: Only the trainings of these runs of the workdir; all if empty, and then folders of
            trainings that are no more are removed.
        tell: Gets what is being done, in a few words.

    Raises:
        TensorBoardError: There is no training, or a wanted run has none.
    """
    root = workdir.expanduser().resolve()
    found = find_trainings(records(root))
    names = {record.name for record in wanted}
    for name in names & set(found.left_out):
        raise TensorBoardError(f"run {name} has nothing to show: {found.left_out[name]}")
    trainings = [
        training
        for training in found.trainings
        if not names or names & {record.name for record in training.runs}
    ]
    if not trainings:
        reasons = "".join(f"\n  {name}: {why}" for name, why in found.left_out.items())
        raise TensorBoardError(
            f"no run in {root} has a finished training, which flowersim run makes{reasons}"
        )
    folder = root / FOLDER
    folder.mkdir(exist_ok=True)
    shown = []
    for training in trainings:
        tell(f"preparing {training.name}")
        shown.append(_bring_up_to_date(folder / training.name, training))
    if not names:
        _remove_all_but(folder, {training.name for training in trainings})
    _write_experiment(folder, folder)
    return Prepared(folder, tuple(shown), found.left_out if not names else {})


def link_only(prepared: Prepared, view: pathlib.Path) -> None:
    """Makes a log folder that has the wanted trainings alone, by links to where they are.

    Args:
        prepared: Where they are.
        view: An empty folder.
    """
    for shown in prepared.shown:
        name = shown.training.name
        (view / name).symlink_to(prepared.folder / name, target_is_directory=True)
    _write_experiment(view, view)


def _bring_up_to_date(target: pathlib.Path, training: Training) -> Shown:
    values = settings_as_values(settings_of(training.runs[-1]))
    metrics = final_metrics(training.runs[-1].summary)
    embeddings = training.latest.outputs.get(("ImageEmbedder", "embeddings"))
    sources = {
        "scalars": _if_there(training.model_run),
        "projector": _if_there(embeddings.uri) if embeddings else None,
    }
    identity = {"format": FORMAT, "values": values, "metrics": metrics, "sources": sources}
    key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    lacks = tuple(
        f"no {what}: {why}"
        for what, why in (
            ("curves", f"{training.model_run} is gone"),
            ("projector", f"{embeddings.uri} is gone" if embeddings else "nothing was embedded"),
        )
        if sources["scalars" if what == "curves" else "projector"] is None
    )
    if _read_prepared(target).get("key") == key:
        return Shown(training, anew=False, lacks=lacks)
    # Beside the log folder: a TensorBoard that is running must not see half of it.
    with tempfile.TemporaryDirectory(dir=target.parent.parent, prefix=".tensorboard-") as scratch:
        made = pathlib.Path(scratch) / target.name
        made.mkdir()
        _fill(made, training, values, metrics, sources)
        (made / _PREPARED).write_text(json.dumps({"key": key, "values": values}), "utf-8")
        if target.exists():
            shutil.rmtree(target)
        made.rename(target)
    return Shown(training, anew=True, lacks=lacks)


def _fill(
    folder: pathlib.Path,
    training: Training,
    values: Mapping[str, Value],
    metrics: Mapping[str, float],
    sources: Mapping[str, str | None],
) -> None:
    if sources["scalars"]:
        copy_events(sources["scalars"], folder)
    write_events(
        folder,
        [
            *session_summaries(training.name, values, _started(training.runs[0])),
            *(scalar(tag, value) for tag, value in metrics.items()),
        ],
    )
    if sources["projector"]:
        from pipeline.tensorboard.projector import write_projector

        write_projector(folder, sources["projector"])


def _write_experiment(folder: pathlib.Path, trainings: pathlib.Path) -> None:
    """Writes which columns HParams has, over the trainings in a folder, and nothing else."""
    for old in folder.glob(f"{EVENTS}*"):
        old.unlink()
    values = {
        path.parent.name: _read_prepared(path.parent)["values"]
        for path in sorted(trainings.glob(f"*/{_PREPARED}"))
    }
    write_events(folder, [experiment_summary(values)])


def _started(record: RunRecord) -> float:
    """When a run began, in seconds since 1970."""
    started = record.summary.get("started")
    when = (
        datetime.datetime.fromisoformat(started)
        if started
        else datetime.datetime.strptime(record.name, "%Y%m%d-%H%M%S")
    )
    return when.timestamp()


def _if_there(uri: str) -> str | None:
    import tensorflow as tf

    return uri if tf.io.gfile.exists(uri) else None


def _read_prepared(folder: pathlib.Path) -> dict[str, Any]:
    try:
        return json.loads((folder / _PREPARED).read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def _remove_all_but(folder: pathlib.Path, names: set[str]) -> None:
    for path in folder.glob(f"*/{_PREPARED}"):
        if path.parent.name not in names:
            shutil.rmtree(path.parent)
