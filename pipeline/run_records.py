"""The runs of a workdir as they are on disk: which there are, and which one a reference means.

A run leaves `WORKDIR/runs/NAME/` with `summary.json` and `settings.yaml`; NAME is the time of its
start, YYYYMMDD-HHMMSS, and so the order. `WORKDIR/summary.json` is the latest run's. A workdir of
before there were such folders has nothing but that file, and counts as one run.

Nothing here is heavy or opens ML Metadata: what a run's components wrote is in `run_lineage.py`.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import logging
import os
import pathlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.settings import Settings

RUNS = "runs"
SUMMARY = "summary.json"
SETTINGS = "settings.yaml"

_NAME_FORMAT = "%Y%m%d-%H%M%S"
# Names in an error message.
_NAMED = 8


class RunNotFoundError(OSError):
    """A reference that means no run, or several; the message says which runs there are."""


@dataclasses.dataclass(frozen=True)
class RunRecord:
    """A run as it is on disk.

    Attributes:
        workdir: Absolute path of the folder that it ran in.
        name: Time of its start, as its folder is called.
        folder: Where its files are: `workdir/runs/name`, or the workdir itself if that is of
            before there were such folders.
        summary: The content of its `summary.json`.
    """

    workdir: pathlib.Path
    name: str
    folder: pathlib.Path
    summary: dict[str, Any]


def records(workdir: str | os.PathLike[str]) -> list[RunRecord]:
    """Returns the runs of a workdir, oldest first; empty if it has none or is not there.

    A summary that cannot be read is left out, and a warning is logged that names it.
    """
    root = _absolute(workdir)
    found = []
    for name, folder in _folders(root).items():
        try:
            found.append(_record(root, name, folder))
        except RunNotFoundError as error:
            logging.getLogger(__name__).warning("left out: %s", error)
    return found


def find_run(reference: str, workdir: str | os.PathLike[str] | None = None) -> RunRecord:
    """Returns the run that a reference means.

    Args:
        reference: A workdir (its latest run), a run's own folder, `WORKDIR@NAME`, or the NAME of a
            run in `workdir`. Of a name its beginning is enough, if no other begins like it.
        workdir: Where names without a workdir are looked up; None if nowhere.

    Raises:
        RunNotFoundError: There is no such run, several names begin like this, or its summary
            cannot be read.
    """
    path = _absolute(reference)
    if path.is_dir():
        return _of_folder(path)
    place, at, name = reference.rpartition("@")
    if at and _absolute(place or ".").is_dir():
        return _named(_absolute(place or "."), name)
    # What holds a separator is meant as a path; a name never does.
    if workdir is not None and os.sep not in reference and not at:
        return _named(_absolute(workdir), reference)
    raise RunNotFoundError(
        f"there is no run {reference}: no such folder is there; a run is named by its workdir "
        "(its latest run), its own folder WORKDIR/runs/NAME, or WORKDIR@NAME"
    )


def settings_of(record: RunRecord) -> Settings:
    """Returns the settings that a run was made with.

    Raises:
        RunNotFoundError: They were not kept.
        SettingsError: They are no settings of this version.
    """
    from pipeline.settings_loader import SettingsError, load_settings

    path = record.folder / SETTINGS
    # In a workdir of before run folders, the file is that of the last run that pushed.
    kept = path.is_file() and (
        record.folder != record.workdir or record.summary.get("pushed_model")
    )
    if not kept:
        raise RunNotFoundError(
            f"the settings of run {record.name} were not kept: there is no {path}"
            + (" of this run" if path.is_file() else "")
        )
    try:
        return load_settings(str(path))
    except SettingsError as error:
        raise SettingsError(f"{path} cannot be used by this version: {error}") from None


def _absolute(path: str | os.PathLike[str]) -> pathlib.Path:
    return pathlib.Path(path).expanduser().resolve()


def _folders(root: pathlib.Path) -> dict[str, pathlib.Path]:
    """Folders of a workdir's runs by name, oldest first."""
    found = {path.parent.name: path.parent for path in (root / RUNS).glob(f"*/{SUMMARY}")}
    if not found and (root / SUMMARY).is_file():
        written = datetime.datetime.fromtimestamp((root / SUMMARY).stat().st_mtime)
        found = {written.strftime(_NAME_FORMAT): root}
    return dict(sorted(found.items()))


def _of_folder(path: pathlib.Path) -> RunRecord:
    """The run whose folder this is, or the latest one of the workdir that this is."""
    folders = _folders(path)
    workdir = path.parent.parent
    # `runs/demo`, the default workdir, lies in a folder `runs` too, but has runs of its own, or
    # what a run of its own left; a run's folder has a summary that calls it by its name.
    if path.parent.name == RUNS and path in folders.values():
        record = _record(workdir, path.name, path)
        if record.summary.get("name") == path.name:
            return record
    if not folders:
        raise RunNotFoundError(
            f"there is no run in {path}: it has neither {RUNS}/NAME/{SUMMARY} nor {SUMMARY}, "
            "which flowersim run writes"
        )
    name, folder = list(folders.items())[-1]
    return _record(path, name, folder)


def _named(root: pathlib.Path, name: str) -> RunRecord:
    folders = _folders(root)
    fitting = [name] if name in folders else [n for n in folders if name and n.startswith(name)]
    if len(fitting) == 1:
        return _record(root, fitting[0], folders[fitting[0]])
    if fitting:
        raise RunNotFoundError(
            f"several runs in {root} are called {name}…: {_listed(fitting)}; name one of them"
        )
    there = f"there are: {_listed(list(folders))}" if folders else "there is none at all"
    raise RunNotFoundError(f"there is no run {name!r} in {root}; {there}")


def _listed(names: list[str]) -> str:
    """The latest of some names, which are sorted."""
    more = "…, " if len(names) > _NAMED else ""
    return more + ", ".join(names[-_NAMED:])


def _record(workdir: pathlib.Path, name: str, folder: pathlib.Path) -> RunRecord:
    path = folder / SUMMARY
    try:
        summary = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise RunNotFoundError(f"{path} cannot be read as a run's summary: {error}") from None
    if not isinstance(summary, dict) or "status" not in summary:
        raise RunNotFoundError(f"{path} is no summary of a run: it has no status")
    return RunRecord(workdir, name, folder, summary)
