"""The command `flowersim monitor`: have the photos that are asked about drifted?"""

from __future__ import annotations

import argparse
import pathlib
from typing import Any

from pipeline.commands.index_command import DEFAULT_WORKDIR

DRIFTED = 3


def add_parser(commands: Any) -> None:
    """Adds the command to the parser's commands."""
    parser = commands.add_parser(
        "monitor",
        help="compare logged requests with what the served model was made for, and retrain on "
        "drift if wanted",
        description="Embeds the photos of a request log with the served model and compares them "
        "with images that it was not trained on. Exit status: 0 no drift, or too few photos to "
        f"tell; {DRIFTED} drift, also if retraining followed; 1 an error; 2 wrong usage.",
    )
    parser.add_argument(
        "logs",
        nargs="+",
        type=pathlib.Path,
        metavar="LOGS",
        help="what was given to flowersim serve as --request-log; or a file, or a folder of "
        "*.tfrecord",
    )
    parser.add_argument(
        "--workdir",
        type=pathlib.Path,
        default=DEFAULT_WORKDIR,
        help="workdir of the run whose model is served (default: %(default)s)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="change one of the saved settings, for instance monitoring.allowed_rise=0.1; also of "
        "the run that may follow",
    )
    parser.add_argument("--json", type=pathlib.Path, help="file to write the report to")
    parser.add_argument(
        "--prometheus",
        type=pathlib.Path,
        metavar="FILE.prom",
        help="file to write metrics to, in a folder that node_exporter's textfile collector reads",
    )
    parser.add_argument(
        "--retrain",
        action="store_true",
        help="on drift run the pipeline with the saved settings, whatever monitoring.retrain says: "
        "it trains anew if the data has changed since",
    )
    parser.add_argument("--verbose", action="store_true", help="print all logs, and tracebacks")
    parser.set_defaults(command=_monitor)


def _monitor(options: argparse.Namespace) -> int:
    import time

    from components.drift_monitor.log_files import find_logs
    from pipeline import drift_metrics
    from pipeline.index_runner import workplace
    from pipeline.saved_settings import saved_settings

    settings = saved_settings(options.workdir, None, options.overrides)
    files = find_logs(options.logs)
    if options.prometheus:
        drift_metrics.check_path(options.prometheus)
    with workplace(options.workdir, verbose=options.verbose, task="monitor") as place:
        from pipeline.monitor_runner import monitor

        report = monitor(place, files, settings)
        model_name = place.serving.name
    from pipeline.monitor_output import print_report, write_report
    from pipeline.terminal import terminal

    console = terminal()
    print_report(report, console)
    if options.json:
        write_report(options.json, report)
    if options.prometheus:
        text = drift_metrics.metrics_text(report, model_name, time.time())
        drift_metrics.write_metrics(options.prometheus, text)
    if not report["drifted"]:
        return 0
    if options.retrain or settings.monitoring.retrain:
        from pipeline.monitor_runner import retrain

        for line in retrain(settings, options.workdir, verbose=options.verbose):
            console.print(line, soft_wrap=True, markup=False)
    return DRIFTED
