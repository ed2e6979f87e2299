"""The command `flowersim run`: the pipeline, and afterwards perhaps a query."""

from __future__ import annotations

import argparse
import pathlib
import shlex
import sys
from typing import Any

from pipeline.commands.options import add_settings, add_verbose, add_workdir, workdir_of
from pipeline.component_ids import COMPONENT_IDS


def add_parser(commands: Any) -> None:
    """Adds the command to the parser's commands."""
    parser = commands.add_parser(
        "run", help="run the pipeline: data in, a blessed and pushed model out"
    )
    add_settings(parser)
    add_workdir(parser)
    parser.add_argument(
        "--from",
        dest="first",
        choices=COMPONENT_IDS,
        metavar="COMPONENT",
        help="run from this component on; what it needs is taken from the latest run as it is, "
        f"whatever has changed since; one of {', '.join(COMPONENT_IDS)}",
    )
    parser.add_argument(
        "--to",
        dest="last",
        choices=COMPONENT_IDS,
        metavar="COMPONENT",
        help="run this component and what it needs, nothing after it",
    )
    parser.add_argument(
        "--no-cache",
        action="store_true",
        help="repeat every component, changed or not (the same as --set run.cache=false)",
    )
    parser.add_argument(
        "--query",
        action="store_true",
        help="afterwards serve the pushed model and ask it about a test image over HTTP",
    )
    add_verbose(parser)
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> int:
    from pipeline.local_runner import run
    from pipeline.settings_loader import load_settings

    overrides = [*options.overrides, *(["run.cache=false"] if options.no_cache else [])]
    settings = load_settings(options.preset, overrides)
    workdir = workdir_of(options)
    result = run(
        settings,
        workdir,
        preset=pathlib.Path(options.preset).stem,
        first=options.first,
        last=options.last,
        verbose=options.verbose,
    )
    pushed = result.summary["pushed_model"]
    if options.query and pushed:
        from pipeline.run_log import run_log
        from pipeline.sample_query import ask_about_a_test_image

        with run_log(result.log, verbose=options.verbose) as console:
            ask_about_a_test_image(
                pushed,
                settings.serving.model_name,
                result.dataset,
                console,
                skip={image["id"] for image in result.summary["bad_images"]},
            )
    if pushed:
        # As it was called: the environment's programs need not be on the PATH.
        program = sys.argv[0] if pathlib.Path(sys.argv[0]).name == "flowersim" else "flowersim"
        print(f"\nserve it:    {shlex.join([program, 'serve', '--workdir', str(workdir)])}")
        print(f"ask it:      {shlex.quote(program)} query PHOTO.jpg")
    if report := result.summary["report"]:
        print(f"look at it:  {report}")
    return 0
