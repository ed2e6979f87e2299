"""The command `flowersim prepare`: only the dataset."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.commands.options import add_settings, add_verbose, add_workdir, workdir_of


def add_parser(commands: Any) -> None:
    """Adds the command to the parser's commands."""
    parser = commands.add_parser(
        "prepare", help="only bring the dataset into its prepared folder (run does this too)"
    )
    add_settings(parser)
    add_workdir(parser)
    add_verbose(parser)
    parser.add_argument(
        "--stage",
        action="store_true",
        help="also copy the dataset, its schema and the gallery's ledger to "
        "deployment.pipeline_root, for the steps of a compiled pipeline",
    )
    parser.set_defaults(command=_prepare)


def _prepare(options: argparse.Namespace) -> int:
    from pipeline.disk_space import full_disk_told
    from pipeline.prepare import data_place, prepare
    from pipeline.run_log import run_log
    from pipeline.settings_loader import load_settings
    from pipeline.workdir_folder import writable_workdir
    from pipeline.workdir_lock import locked

    settings = load_settings(options.preset, options.overrides)
    workdir = writable_workdir(workdir_of(options))
    written, staged, place = [str(workdir), data_place(settings.data, workdir)], None, None
    if options.stage:
        from pipeline.deployment.places import root

        staged = root(settings)
        written.append(staged)
    log = workdir / "logs" / "prepare.log"
    with full_disk_told(*written), locked(workdir), run_log(log, verbose=options.verbose):
        data = prepare(settings.data, workdir)
        if staged:
            from pipeline.deployment.staging import stage

            place = stage(staged, data, str(workdir))
    sizes = ", ".join(f"{count} {split}" for split, count in data.split_sizes.items())
    print(f"{data.folder}: {len(data.class_names)} classes; {sizes}")
    if place:
        print(f"staged: {place.folder}")
        if place.ledger:
            print(f"        {place.ledger.folder}")
    return 0
