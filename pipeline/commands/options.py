"""Options that several commands have: which settings, which workdir, how much is printed."""

from __future__ import annotations

import argparse
import pathlib

DEFAULT_PRESET = "demo"


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Adds `--preset` and `--set`, which choose the settings."""
    parser.add_argument(
        "--preset",
        default=DEFAULT_PRESET,
        help="settings to start from: demo, flowers102, or a file as flowersim settings --yaml "
        "writes it, with a name that ends in .yaml (default: %(default)s)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="change one setting, for instance training.epochs=5; may be given several times; "
        "flowersim settings lists them",
    )


def add_workdir(parser: argparse.ArgumentParser) -> None:
    """Adds `--workdir`, see `workdir_of`."""
    parser.add_argument(
        "--workdir", type=pathlib.Path, help="folder for all results (default: runs/PRESET)"
    )


def add_verbose(parser: argparse.ArgumentParser) -> None:
    """Adds `--verbose`."""
    parser.add_argument("--verbose", action="store_true", help="print all logs, and tracebacks")


def workdir_of(options: argparse.Namespace) -> pathlib.Path:
    """Returns the workdir that was named, or that of the preset."""
    return options.workdir or pathlib.Path("runs", pathlib.Path(options.preset).stem)
