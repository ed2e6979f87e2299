"""The store: runs, executions and artifacts, and which execution used and made which artifact.

Every change is one transaction, and what an execution made appears together with its success, so
that a process that is killed leaves no half results.
"""

from __future__ import annotations

import dataclasses
import json
import os
import time
from collections.abc import Mapping
from typing import Any

from pipeline.spec_executor.artifacts import Artifact, Values, is_remote, is_there
from pipeline.spec_executor.database import Database
from pipeline.spec_executor.filters import parse_filter
from pipeline.spec_executor.spec import ArtifactType


@dataclasses.dataclass(frozen=True)
class Execution:
    """One execution of a task, as lineage shows it.

    Attributes:
        id: Unique in the store.
        task: The task's path in the pipeline.
        state: SUCCEEDED, FAILED, CANCELLED, RUNNING or ABANDONED (its process was killed).
        cached_from: The execution whose results were taken, or None.
        inputs: What it was given.
        outputs: What it made.
        error: Why it failed, or None.
    """

    id: int
    task: str
    state: str
    cached_from: int | None
    inputs: Values
    outputs: Values
    error: str | None


class Store:
    """An open store; one process at a time has it, any of its threads may use it."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        """Opens a store, or makes one.

        Args:
            folder: Its folder.

        Raises:
            StoreError: Another process has it, or the folder holds something else.
        """
        self._database = Database(folder)
        self.folder = self._database.folder

    def close(self) -> None:
        """Gives the store back."""
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *exception: Any) -> None:
        self.close()

    def begin_run(
        self, run: str, pipeline: str, spec: str, root: str, parameters: Mapping[str, Any]
    ) -> None:
        """Records that a run begins."""
        with self._database.transaction() as database:
            database.execute(
                "INSERT INTO runs VALUES (?, ?, ?, ?, ?, 'RUNNING', ?, NULL)",
                (run, pipeline, spec, root, json.dumps(dict(parameters)), time.time()),
            )

    def end_run(self, run: str, state: str) -> None:
        """Records how a run ended."""
        with self._database.transaction() as database:
            database.execute(
                "UPDATE runs SET state = ?, ended = ? WHERE id = ?", (state, time.time(), run)
            )

    def run_states(self, pipeline: str) -> dict[str, str]:
        """The states of a pipeline's runs, oldest first."""
        with self._database.mutex:
            rows = self._database.connection.execute(
                "SELECT id, state FROM runs WHERE pipeline = ? ORDER BY rowid", (pipeline,)
            )
            return dict(rows.fetchall())

    def begin_execution(self, run: str, task: str, component: str, inputs: Values) -> int:
        """Records that a task begins; returns the execution's number."""
        with self._database.transaction() as database:
            cursor = database.execute(
                "INSERT INTO executions (run, task, component, state, inputs, started) "
                "VALUES (?, ?, ?, 'RUNNING', ?, ?)",
                (run, task, component, json.dumps(dict(inputs.parameters)), time.time()),
            )
            execution = int(cursor.lastrowid or 0)
            self._link(execution, inputs, output=False)
            return execution

    def succeed(
        self,
        execution: int,
        outputs: Values,
        *,
        pipeline: str,
        key: str | None = None,
        cached_from: int | None = None,
    ) -> None:
        """Records a success together with all that it made; known artifacts are linked."""
        with self._database.transaction() as database:
            for artifacts in outputs.artifacts.values():
                for artifact in artifacts:
                    self._add(artifact, pipeline, execution)
            self._link(execution, outputs, output=True)
            database.execute(
                "UPDATE executions SET state = 'SUCCEEDED', key = ?, outputs = ?, "
                "cached_from = ?, ended = ? WHERE id = ?",
                (key, json.dumps(dict(outputs.parameters)), cached_from, time.time(), execution),
            )

    def fail(self, execution: int, state: str, error: str) -> None:
        """Records that an execution ended without success."""
        with self._database.transaction() as database:
            database.execute(
                "UPDATE executions SET state = ?, error = ?, ended = ? WHERE id = ?",
                (state, error, time.time(), execution),
            )

    def _add(self, artifact: Artifact, pipeline: str, producer: int) -> None:
        self._database.connection.execute(
            "INSERT OR IGNORE INTO artifacts "
            "(name, title, type, uri, metadata, pipeline, producer, there, created) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                artifact.name,
                artifact.type.title,
                json.dumps(dataclasses.astuple(artifact.type)),
                artifact.uri,
                json.dumps(dict(artifact.metadata)),
                pipeline,
                producer,
                not is_remote(artifact.uri) and is_there(artifact.uri),
                time.time(),
            ),
        )

    def _link(self, execution: int, values: Values, *, output: bool) -> None:
        self._database.connection.executemany(
            "INSERT INTO events SELECT ?, id, ?, ?, ? FROM artifacts WHERE name = ?",
            [
                (execution, output, key, position, artifact.name)
                for key, artifacts in values.artifacts.items()
                for position, artifact in enumerate(artifacts)
            ],
        )

    def find_cached(self, key: str, runs: frozenset[str] | None) -> tuple[int, Values] | None:
        """The newest success with a key whose files are all still there.

        Args:
            key: See `cache_key.py`.
            runs: The runs that may have made it; None for all.

        Returns:
            The execution and its outputs, or None.
        """
        with self._database.mutex:
            rows = self._database.connection.execute(
                "SELECT id, run FROM executions WHERE key = ? AND state = 'SUCCEEDED' "
                "ORDER BY id DESC",
                (key,),
            ).fetchall()
            for execution, run in rows:
                if runs is not None and run not in runs:
                    continue
                if self._all_there(execution):
                    return execution, self._values(execution, output=True)
        return None

    def _all_there(self, execution: int) -> bool:
        """What lay somewhere when it was made must still; what never did (no results) need not."""
        rows = self._database.connection.execute(
            "SELECT uri FROM artifacts JOIN events ON artifact = id "
            "WHERE execution = ? AND output AND there",
            (execution,),
        )
        return all(is_there(uri) for (uri,) in rows)

    def _values(self, execution: int, *, output: bool) -> Values:
        column = "outputs" if output else "inputs"
        (parameters,) = self._database.connection.execute(
            f"SELECT {column} FROM executions WHERE id = ?", (execution,)
        ).fetchone()
        rows = self._database.connection.execute(
            "SELECT key, name, type, uri, metadata FROM artifacts JOIN events ON artifact = id "
            "WHERE execution = ? AND output = ? ORDER BY key, position",
            (execution, output),
        )
        artifacts: dict[str, tuple[Artifact, ...]] = {}
        for key, *row in rows:
            artifacts[key] = (*artifacts.get(key, ()), _artifact(*row))
        return Values(json.loads(parameters), artifacts)

    def resolve(self, text: str, limit: int, pipeline: str) -> tuple[Artifact, ...]:
        """The newest artifacts of a pipeline that pass a resolver's filter, newest first."""
        passes = parse_filter(text)
        found = (artifact for artifact in self.artifacts(pipeline) if passes(artifact))
        return tuple(artifact for _, artifact in zip(range(limit), found, strict=False))

    def artifacts(self, pipeline: str) -> list[Artifact]:
        """The live artifacts of a pipeline, newest first: those whose files were not removed."""
        with self._database.mutex:
            rows = self._database.connection.execute(
                "SELECT there, name, type, uri, metadata FROM artifacts WHERE pipeline = ? "
                "ORDER BY id DESC",
                (pipeline,),
            ).fetchall()
        found = [(there, _artifact(*row)) for there, *row in rows]
        return [artifact for there, artifact in found if not there or is_there(artifact.uri)]

    def lineage(self, run: str) -> list[Execution]:
        """What was executed in a run, in order, with what it used and made."""
        with self._database.mutex:
            rows = self._database.connection.execute(
                "SELECT id, task, state, cached_from, error FROM executions WHERE run = ? "
                "ORDER BY id",
                (run,),
            ).fetchall()
            return [
                Execution(
                    id=number,
                    task=task,
                    state=state,
                    cached_from=cached_from,
                    inputs=self._values(number, output=False),
                    outputs=self._values(number, output=True),
                    error=error,
                )
                for number, task, state, cached_from, error in rows
            ]


def _artifact(name: str, kind: str, uri: str, metadata: str) -> Artifact:
    return Artifact(name, ArtifactType(*json.loads(kind)), uri, json.loads(metadata))
