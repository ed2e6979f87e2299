"""The trainings behind a workdir's runs.

A run whose Trainer came from the cache has the curves and the embeddings of an earlier one. Shown
once for each run they would lie on top of each other: so what is shown are trainings, by the name
of the run that did them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.run_lineage import LineageError, outputs_of
from pipeline.run_records import RunNotFoundError, RunRecord
from pipeline.settings_loader import SettingsError

if TYPE_CHECKING:
    from pipeline.lineage import Run


@dataclasses.dataclass(frozen=True)
class Training:
    """One execution of the Trainer.

    Attributes:
        name: Name of the first run that has it.
        runs: All runs that have it, oldest first.
        latest: What the components of the last of them wrote.
        model_run: URI of the Trainer's logs.
    """

    name: str
    runs: tuple[RunRecord, ...]
    latest: Run
    model_run: str


@dataclasses.dataclass(frozen=True)
class Found:
    """The trainings of runs.

    Attributes:
        trainings: Oldest first.
        left_out: Why a run is not among them, by its name.
    """

    trainings: tuple[Training, ...]
    left_out: dict[str, str]


def find_trainings(runs: Sequence[RunRecord]) -> Found:
    """Groups runs by what they trained.

    Args:
        runs: Of one workdir, oldest first.
    """
    by_uri: dict[str, list[tuple[RunRecord, Run]]] = {}
    left_out = {}
    for record in runs:
        try:
            outputs = outputs_of(record)
        except (LineageError, RunNotFoundError, SettingsError) as error:
            left_out[record.name] = str(error)
            continue
        logs = outputs.outputs.get(("Trainer", "model_run"))
        if logs is None:
            left_out[record.name] = "its Trainer did not finish"
        else:
            by_uri.setdefault(logs.uri, []).append((record, outputs))
    trainings = [
        Training(
            name=members[0][0].name,
            runs=tuple(record for record, _ in members),
            latest=members[-1][1],
            model_run=uri,
        )
        for uri, members in by_uri.items()
    ]
    return Found(tuple(trainings), left_out)
