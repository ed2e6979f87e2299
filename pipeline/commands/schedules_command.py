"""The command `flowersim schedules`: lists, pauses, resumes and deletes schedules.

They are made by `flowersim submit --cron`.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from pipeline.commands.platform_options import add_platform, platform_meant

if TYPE_CHECKING:
    from pipeline.submission.jobs import Platform


def add_parser(commands: Any) -> None:
    """Adds the command to the parser's commands."""
    parser = commands.add_parser(
        "schedules", help="list, pause, resume or delete schedules of submitted pipelines"
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    actions.add_parser("list", help="all schedules").set_defaults(command=_list)
    for name, text, command in (
        ("pause", "submit nothing more until it is resumed", _pause),
        ("resume", "submit again, from the next time on", _resume),
        ("delete", "remove it; its jobs stay", _delete),
    ):
        action = actions.add_parser(name, help=text)
        action.add_argument(
            "schedule", metavar="SCHEDULE", help="name that flowersim schedules list prints"
        )
        action.set_defaults(command=command)
    for action in actions.choices.values():
        add_platform(action)
        action.add_argument("--verbose", action="store_true", help="print all logs, and tracebacks")


def _list(options: argparse.Namespace) -> int:
    for schedule in _platform(options).schedules():
        following = f"  next {schedule.next_run:%Y-%m-%d %H:%M}" if schedule.next_run else ""
        print(f"{schedule.name}  {schedule.state}  {schedule.cron}{following}  {schedule.title}")
    return 0


def _pause(options: argparse.Namespace) -> int:
    _platform(options, options.schedule).pause_schedule(options.schedule)
    print(f"{options.schedule}  paused")
    return 0


def _resume(options: argparse.Namespace) -> int:
    _platform(options, options.schedule).resume_schedule(options.schedule)
    print(f"{options.schedule}  active")
    return 0


def _delete(options: argparse.Namespace) -> int:
    _platform(options, options.schedule).delete_schedule(options.schedule)
    print(f"{options.schedule}  deleted")
    return 0


def _platform(options: argparse.Namespace, name: str | None = None) -> Platform:
    from pipeline.quiet import be_quiet

    if not options.verbose:
        be_quiet()
    return platform_meant(options, name)
