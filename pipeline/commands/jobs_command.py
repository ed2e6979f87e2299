"""The command `flowersim jobs`: lists, follows and cancels what was submitted."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import TYPE_CHECKING, Any

from pipeline.commands.argument_types import positive
from pipeline.commands.platform_options import add_platform, platform_meant

if TYPE_CHECKING:
    from pipeline.submission.jobs import Platform

INTERRUPTED = 130


def add_parser(commands: Any) -> None:
    """Adds the command to the parser's commands."""
    parser = commands.add_parser(
        "jobs", help="list, follow or cancel jobs on Vertex AI or Kubeflow Pipelines"
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="the newest jobs")
    listing.add_argument(
        "--limit", type=positive, default=20, help="how many (default: %(default)s)"
    )
    listing.set_defaults(command=_list)
    for name, text, command in (
        ("status", "a job's state, and that of each task", _status),
        ("wait", "follow a job until it ends; exit status 0 only if it succeeds", _wait),
        ("cancel", "end a job; what it has made so far stays", _cancel),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument("job", metavar="JOB", help="name that flowersim submit printed")
        action.set_defaults(command=command)
    for action in actions.choices.values():
        add_platform(action)
        action.add_argument("--verbose", action="store_true", help="print all logs, and tracebacks")


def wait(platform: Platform, name: str, options: argparse.Namespace) -> int:
    """Follows a job and says how it ended.

    Args:
        platform: Where it runs.
        name: Its name there.
        options: How the platform was reached, for what to type next.

    Returns:
        Exit status: 0 it succeeded, 1 it did not, 130 interrupted.
    """
    from pipeline.submission.jobs import State
    from pipeline.submission.watch import failures, watch
    from pipeline.terminal import terminal

    try:
        job = watch(platform, name, terminal())
    except KeyboardInterrupt:
        again = f"{shlex.quote(name)}{_reached(options, name)}"
        print(
            f"flowersim: no longer waiting; the job goes on\n"
            f"look at it:  flowersim jobs wait {again}\n"
            f"end it:      flowersim jobs cancel {again}",
            file=sys.stderr,
        )
        return INTERRUPTED
    if job.state is State.SUCCEEDED:
        return 0
    for line in failures(job):
        print(f"flowersim: {line}", file=sys.stderr)
    print(f"flowersim: {name} has {job.state.value}; logs: {job.link}", file=sys.stderr)
    return 1


def _reached(options: argparse.Namespace, name: str) -> str:
    """The options that say where the platform is, as they are typed; a full name needs none."""
    keys: tuple[str, ...] = ("api_endpoint", "host", "namespace", "token_file", "ca_cert")
    if not name.startswith("projects/"):
        keys = ("project", "region", *keys)
    given = [(key.replace("_", "-"), getattr(options, key)) for key in keys]
    return "".join(
        f" --{key} {shlex.quote(str(value))}" for key, value in given if value is not None
    )


def _list(options: argparse.Namespace) -> int:
    for job in _platform(options).jobs(options.limit):
        created = f"{job.created:%Y-%m-%d %H:%M}" if job.created else ""
        print(f"{job.name}  {job.state.value}  {created}  {job.title}")
    return 0


def _status(options: argparse.Namespace) -> int:
    from pipeline.submission.watch import failures, task_table
    from pipeline.terminal import terminal

    job = _platform(options, options.job).job(options.job)
    print(f"{job.name}  {job.state.value}\n{job.link}")
    if job.tasks:
        terminal().print(task_table(job))
    for line in failures(job):
        print(line)
    return 0


def _wait(options: argparse.Namespace) -> int:
    return wait(_platform(options, options.job), options.job, options)


def _cancel(options: argparse.Namespace) -> int:
    platform = _platform(options, options.job)
    platform.cancel(options.job)
    job = platform.job(options.job)
    print(f"{job.name}  {job.state.value}; asked to end")
    return 0


def _platform(options: argparse.Namespace, name: str | None = None) -> Platform:
    from pipeline.quiet import be_quiet

    if not options.verbose:
        be_quiet()
    return platform_meant(options, name)
