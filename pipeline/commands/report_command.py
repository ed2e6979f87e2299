"""The command `flowersim report`: the page of a run, made again or for the first time."""

from __future__ import annotations

import argparse
import pathlib
from typing import Any

from pipeline.commands.index_command import DEFAULT_WORKDIR


def add_parser(commands: Any) -> None:
    """Adds the command to the parser's commands."""
    parser = commands.add_parser(
        "report",
        help="write the report of a run: one HTML page, and a model card as JSON",
        description="Writes report.html and model_card.json of a run into its folder "
        "WORKDIR/runs/NAME, as flowersim run does at its end; of a failed run, with what there "
        "is. The page needs nothing else and nothing from the network.",
    )
    parser.add_argument(
        "run",
        nargs="?",
        metavar="RUN",
        help="the run: its name or the beginning of it, its folder, or WORKDIR@NAME "
        "(default: the latest one in the workdir)",
    )
    parser.add_argument(
        "--workdir",
        type=pathlib.Path,
        default=DEFAULT_WORKDIR,
        help="folder that runs write to (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        type=pathlib.Path,
        metavar="FILE.html",
        help="write the page there, and the card beside it (default: the run's folder)",
    )
    parser.add_argument("--open", action="store_true", help="show it in the browser")
    parser.add_argument("--verbose", action="store_true", help="print all logs, and tracebacks")
    parser.set_defaults(command=_report)


def _report(options: argparse.Namespace) -> int:
    from pipeline.run_log import run_log
    from pipeline.run_records import find_run, settings_of

    found = find_run(options.run or str(options.workdir), options.workdir)
    settings = settings_of(found)
    output = options.output.expanduser().resolve() if options.output else None
    if output and (output.is_dir() or output.suffix not in (".html", ".htm")):
        raise OSError(f"--output {options.output} must be a file that ends in .html")
    log = found.workdir / "logs" / "report.log"
    with run_log(log, verbose=options.verbose) as console, console.status("loading") as status:
        from pipeline.run_lineage import LineageError, code_of, outputs_of
        from pipeline.run_report import write_report

        run, code = None, {}
        try:
            run, code = outputs_of(found), code_of(found)
        except LineageError as error:
            console.print(
                f"without what the components wrote: {error}", soft_wrap=True, markup=False
            )
        page = write_report(
            settings,
            found.summary,
            output.parent if output else found.folder,
            run=run,
            code=code,
            workdir=found.workdir,
            page=output,
            progress=status.update,
        )
    print(page)
    if options.open:
        import webbrowser

        if not webbrowser.open(page.as_uri()):
            raise OSError(f"there is no browser to show {page}")
    return 0
