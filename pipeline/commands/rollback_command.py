"""The command `flowersim rollback`: serves a version that was pushed earlier."""

from __future__ import annotations

import argparse
import datetime
import pathlib
from typing import Any

from pipeline.commands.argument_types import positive
from pipeline.commands.index_command import DEFAULT_WORKDIR


def add_parser(commands: Any) -> None:
    """Adds the command to the parser's commands."""
    parser = commands.add_parser(
        "rollback",
        help="serve an earlier version again",
        description="Publishes the model of an earlier version as a new version, which servers "
        "take up by themselves. From then on runs push nothing, until --release.",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "version",
        nargs="?",
        type=positive,
        metavar="VERSION",
        help="version to go back to (default: the one before the newest; once more, the one "
        "before that)",
    )
    what.add_argument("--list", action="store_true", help="list the versions, and do nothing")
    what.add_argument(
        "--release", action="store_true", help="let runs push again; what is served stays"
    )
    parser.add_argument(
        "--workdir",
        type=pathlib.Path,
        default=DEFAULT_WORKDIR,
        help="workdir of the runs that pushed (default: %(default)s)",
    )
    parser.set_defaults(command=_rollback)


def _rollback(options: argparse.Namespace) -> int:
    from pipeline.quiet import be_quiet
    from pipeline.workdir_layout import served_folder
    from pipeline.workdir_lock import WorkdirBusyError, locked

    be_quiet()
    folder = str(served_folder(options.workdir.resolve()))
    if options.list:
        _list(folder)
        return 0
    try:
        with locked(options.workdir):
            if options.release:
                _release(folder)
            else:
                _go_back(options.workdir, folder, options.version)
    except WorkdirBusyError as error:
        raise WorkdirBusyError(
            f"{options.workdir} is in use; a run that is stopped (Ctrl-C) goes on later from where "
            f"it was\n{error}"
        ) from error
    return 0


def _go_back(workdir: pathlib.Path, folder: str, wanted: int | None) -> None:
    from components.gallery_edit import ledger
    from components.pusher.errors import RollbackError
    from components.pusher.rollback import choose, roll_back
    from pipeline.workdir_layout import ledger_folder

    version = choose(folder, wanted)
    changes = ledger.read(ledger_folder(workdir))
    lacking = 0
    if changes:
        from components.similarity_indexer.gallery_ids import gallery_images

        held = gallery_images(f"{folder}/{version}")
        if back := sorted({*changes.removed} & {*held}):
            raise RollbackError(
                f"version {version} has images that were removed since: {', '.join(back[:10])}"
                + (f" and {len(back) - 10} more" if len(back) > 10 else "")
                + "; name another one (--list), or bring them back with flowersim index restore"
            )
        lacking = sum(photo.identity not in held for photo in changes.added)
    published = roll_back(folder, version)
    print(f"version {published.version} serves the model of version {version}")
    if lacking:
        print(
            f"photos that were added by hand and that it lacks: {lacking}; the next flowersim "
            "index brings them back"
        )
    print("runs push nothing until: flowersim rollback --release")


def _release(folder: str) -> None:
    from components.pusher.rollback import release

    print(f"released: version {release(folder)} is served until the next push")


def _list(folder: str) -> None:
    from components.pusher.rollback import list_versions

    versions = list_versions(folder)
    for info in versions:
        about = [f"{datetime.datetime.fromtimestamp(info.version):%Y-%m-%d %H:%M:%S}"]
        about.append(f"model {info.digest[:12]}" if info.digest else "model unknown")
        if info is versions[-1]:
            about.append("served")
        if info.rollback and info.rollback.copy_of:
            about.append(f"rollback to {info.rollback.copy_of}")
        if info.rollback and info.rollback.held and info is versions[-1]:
            about.append("runs push nothing until it is released")
        print(f"{info.version}  {'  '.join(about)}")
