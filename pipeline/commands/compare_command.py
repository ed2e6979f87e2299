"""The command `flowersim compare`: runs side by side, with what chance could have done."""

from __future__ import annotations

import argparse
import pathlib
from typing import Any

from pipeline.commands.index_command import DEFAULT_WORKDIR


def add_parser(commands: Any) -> None:
    """Adds the command to the parser's commands."""
    parser = commands.add_parser(
        "compare",
        help="compare runs: metrics with paired intervals, settings, queries that got better and "
        "worse",
        description="Compares runs with the first one named, on the queries of validation and test "
        "that all of them have. Prints the numbers, and writes a page with pictures.",
    )
    parser.add_argument(
        "reference",
        metavar="RUN",
        help="the run that the others are compared with: a workdir (its latest run), a run's own "
        "folder, WORKDIR@NAME, or the NAME of a run in --workdir; of a name its beginning is "
        "enough; flowersim runs lists them",
    )
    parser.add_argument("others", metavar="RUN", nargs="+", help="runs to compare with it")
    parser.add_argument(
        "--workdir",
        type=pathlib.Path,
        default=DEFAULT_WORKDIR,
        help="where runs that are given by NAME are looked up (default: %(default)s)",
    )
    parser.add_argument("--json", type=pathlib.Path, help="file to write all numbers to")
    parser.add_argument(
        "--html",
        type=pathlib.Path,
        help="file to write the page to (default: comparisons/RUN--RUN.html in the workdir of the "
        "last run named)",
    )
    parser.add_argument("--verbose", action="store_true", help="print all logs, and tracebacks")
    parser.set_defaults(command=_compare)


def _compare(options: argparse.Namespace) -> int:
    from pipeline.quiet import be_quiet
    from pipeline.run_records import find_run

    records = [find_run(name, options.workdir) for name in (options.reference, *options.others)]
    if not options.verbose:
        be_quiet()
    from pipeline.terminal import terminal

    console = terminal()
    with console.status("loading TensorFlow") as status:
        from pipeline.comparison.compare import compare
        from pipeline.comparison.files import default_page, write_json, write_page
        from pipeline.comparison.terminal import print_comparison

        comparison = compare(records, status.update)
        page = options.html or default_page(records)
        write_page(page, comparison)
        if options.json:
            write_json(options.json, comparison)
    print_comparison(comparison.content, console)
    console.print(f"\npage  {page}", soft_wrap=True, markup=False)
    return 0
