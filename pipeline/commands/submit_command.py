"""The command `flowersim submit`: runs a compiled pipeline on Vertex AI or Kubeflow Pipelines."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from typing import TYPE_CHECKING, Any

from pipeline.commands.argument_types import positive
from pipeline.commands.jobs_command import INTERRUPTED, wait
from pipeline.commands.platform_options import add_platform, platform_of

if TYPE_CHECKING:
    from pipeline.submission.jobs import JobRequest, Platform
    from pipeline.submission.new_data import DataState
    from pipeline.submission.spec_file import SpecFile


def add_parser(commands: Any) -> None:
    """Adds the command to the parser's commands."""
    parser = commands.add_parser(
        "submit",
        help="run a compiled pipeline on Vertex AI or Kubeflow Pipelines, now or on a schedule",
        description="A PipelineJob (JSON) goes to Vertex AI, a PipelineSpec (YAML) to Kubeflow "
        "Pipelines; flowersim compile writes both. Exit status: 0 submitted, with --wait only if "
        "the job succeeded; 1 an error, or the job failed; 2 wrong usage; 130 interrupted while "
        "waiting, and the job goes on.",
    )
    parser.add_argument("spec", metavar="SPEC", help="compiled pipeline: a file, or gs://…")
    parser.add_argument(
        "--parameter",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        dest="parameters",
        help="set a parameter of the pipeline, or with NAME.a.b=VALUE one value inside it; may be "
        "given several times",
    )
    parser.add_argument("--name", help="name to show (default: the pipeline's)")
    parser.add_argument(
        "--pipeline-root", metavar="URL", help="where artifacts go (default: as compiled)"
    )
    parser.add_argument(
        "--service-account",
        metavar="ACCOUNT",
        help="whom the tasks run as (default: the platform's)",
    )
    parser.add_argument(
        "--network",
        metavar="projects/NUMBER/global/networks/NAME",
        help="VPC network that tasks are peered with (Vertex AI)",
    )
    parser.add_argument(
        "--label",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="labels",
        help="label of the job (Vertex AI); may be given several times",
    )
    parser.add_argument("--experiment", help="experiment of the run (Kubeflow; default: Default)")
    parser.add_argument("--no-cache", action="store_true", help="repeat every task, changed or not")
    when = parser.add_mutually_exclusive_group()
    when.add_argument(
        "--wait", action="store_true", help="follow the job until it ends; Ctrl-C leaves it running"
    )
    when.add_argument(
        "--cron",
        metavar="'M H D M W'",
        help="make a schedule instead: minute, hour, day, month, day of the week, for instance "
        "'0 3 * * 1' for Mondays at 3:00",
    )
    parser.add_argument(
        "--time-zone",
        metavar="ZONE",
        help="of --cron, for instance Europe/Berlin (default: UTC; Vertex AI)",
    )
    parser.add_argument(
        "--max-concurrent",
        type=positive,
        metavar="N",
        help="jobs of the schedule that may run at once (default: 1)",
    )
    parser.add_argument(
        "--if-new-data",
        action="store_true",
        help="submit only if the files in the pipeline's data_folder are not those of the last "
        "job that was submitted with this option",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print as JSON what would be sent, and send nothing"
    )
    add_platform(parser)
    parser.add_argument("--verbose", action="store_true", help="print all logs, and tracebacks")
    parser.set_defaults(command=_submit)


def _submit(options: argparse.Namespace) -> int:
    from pipeline.quiet import be_quiet
    from pipeline.submission.errors import SubmissionError
    from pipeline.submission.spec_file import VERTEX, read_spec

    if not options.verbose:
        be_quiet()
    if not options.cron and (options.time_zone or options.max_concurrent):
        raise SubmissionError("--time-zone and --max-concurrent are of a schedule: give --cron")
    if options.cron and options.if_new_data:
        raise SubmissionError(
            "a schedule submits each time, new data or not: call flowersim submit --if-new-data "
            "itself on a schedule, for instance by cron"
        )
    spec = read_spec(options.spec)
    if spec.platform == VERTEX and options.experiment:
        raise SubmissionError("--experiment is Kubeflow's; Vertex AI's jobs have --label")
    request = _request(options, spec)
    kind = "PipelineJob" if spec.platform == VERTEX else "PipelineSpec"
    platform = platform_of(options, spec.platform, f"{spec.path} is a {kind}")
    if options.cron:
        return _schedule(options, platform, request)
    return _submit_job(options, platform, request)


def _submit_job(options: argparse.Namespace, platform: Platform, request: JobRequest) -> int:
    state = _data(options, request) if options.if_new_data else None
    if state and not state.new:
        assert state.last
        print(f"no new data in {state.folder}: submitted as {state.last['job']}")
        return 0
    if state:
        print(f"new data in {state.folder}: {state.files} files")
        request = dataclasses.replace(request, key=state.key)
    if options.dry_run:
        return _show(platform.description(request))
    try:
        job = platform.submit(request)
    except KeyboardInterrupt:
        print(
            "flowersim: interrupted while submitting; flowersim jobs list says whether there is a "
            "job",
            file=sys.stderr,
        )
        return INTERRUPTED
    print(f"submitted  {job.name}\npage       {job.link}")
    if state:
        from pipeline.submission.new_data import remember

        remember(state, job.name)
    if options.wait:
        return wait(platform, job.name, options)
    return 0


def _request(options: argparse.Namespace, spec: SpecFile) -> JobRequest:
    from pipeline.submission.errors import SubmissionError
    from pipeline.submission.jobs import JobRequest
    from pipeline.submission.parameters import parameter_values

    labels = {}
    for label in options.labels:
        key, equals, value = label.partition("=")
        if not equals:
            raise SubmissionError(f"--label {label} is not of the form KEY=VALUE")
        labels[key] = value
    return JobRequest(
        spec=spec,
        title=options.name or spec.document.get("displayName") or spec.name,
        parameters=parameter_values(spec, options.parameters),
        pipeline_root=options.pipeline_root,
        service_account=options.service_account,
        network=options.network,
        labels=labels,
        experiment=options.experiment,
        cache=not options.no_cache,
    )


def _data(options: argparse.Namespace, request: JobRequest) -> DataState:
    from pipeline.submission.new_data import look

    return look(request.spec, dict(request.parameters), options.pipeline_root)


def _schedule(options: argparse.Namespace, platform: Platform, request: JobRequest) -> int:
    from pipeline.submission.cron import check_cron, check_time_zone
    from pipeline.submission.jobs import Timing

    zone = options.time_zone and check_time_zone(options.time_zone)
    timing = Timing(check_cron(options.cron), zone, options.max_concurrent or 1)
    if options.dry_run:
        return _show({"cron": timing.cron, "time_zone": zone} | platform.description(request))
    schedule = platform.create_schedule(request, request.title, timing)
    print(f"scheduled  {schedule.name}\ntimes      {schedule.cron}\npage       {schedule.link}")
    return 0


def _show(description: dict[str, Any]) -> int:
    print(json.dumps(description, indent=2, sort_keys=True))
    return 0
