"""The command `flowersim runs`: which runs there were, and what they came to."""

from __future__ import annotations

import argparse
import pathlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.run_records import RunRecord

_METRICS = ("recall_at_1", "map_at_r")
_SPLITS = ("validation", "test")


def add_parser(commands: Any) -> None:
    """Adds the command to the parser's commands."""
    parser = commands.add_parser(
        "runs",
        help="list runs with status, metrics and pushed versions",
        description="Lists the runs of workdirs, the latest first: when and with what they were "
        "started, how they ended, recall@1 and MAP@R, and which version they pushed.",
    )
    parser.add_argument(
        "workdirs",
        nargs="*",
        type=pathlib.Path,
        metavar="WORKDIR",
        help="folders that runs write to (default: every one below runs)",
    )
    parser.add_argument("--json", action="store_true", help="print a list of JSON objects")
    parser.set_defaults(command=_runs)


def _runs(options: argparse.Namespace) -> int:
    from pipeline.run_records import records

    given = options.workdirs
    missing = [str(workdir) for workdir in given if not workdir.is_dir()]
    if missing:
        raise FileNotFoundError(f"there is no folder {', '.join(missing)}")
    workdirs = given or sorted(path for path in pathlib.Path("runs").glob("*") if path.is_dir())
    found = {workdir: records(workdir)[::-1] for workdir in workdirs}
    if options.json:
        import json

        print(json.dumps([_row(run) for runs in found.values() for run in runs], indent=2))
        return 0
    if not any(found.values()):
        where = ", ".join(map(str, workdirs)) or "the folder runs"
        print(f"no run in {where}; flowersim run makes one")
        return 0
    for workdir, runs in found.items():
        if runs:
            _print(workdir, runs)
    return 0


def _row(run: RunRecord) -> dict[str, Any]:
    """What is told of a run: of the version only whether it is there still."""
    summary = run.summary
    pushed: str | None = summary.get("pushed_model")
    return {
        "workdir": str(run.workdir),
        "name": run.name,
        "status": summary["status"],
        "error": summary.get("error"),
        "preset": summary.get("preset"),
        "started": summary.get("started"),
        "duration_seconds": summary.get("duration_seconds"),
        "metrics": {
            split: {name: summary.get("metrics", {}).get(split, {}).get(name) for name in _METRICS}
            for split in _SPLITS
        },
        "blessed": summary.get("blessed"),
        "pushed_model": pushed,
        "pushed_model_exists": pushed is not None and pathlib.Path(pushed).is_dir(),
        "report": summary.get("report"),
    }


def _print(workdir: pathlib.Path, runs: list[RunRecord]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from pipeline.terminal import terminal

    console = terminal()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("run", no_wrap=True)
    table.add_column("status")
    for name in ("recall@1", "MAP@R"):
        table.add_column(f"{name}\nval. / test", justify="right", no_wrap=True)
    table.add_column("pushed")
    table.add_column("took", justify="right", no_wrap=True)
    for run in runs:
        row = _row(run)
        numbers = [
            " / ".join(_number(row["metrics"][split][metric]) for split in _SPLITS)
            for metric in _METRICS
        ]
        table.add_row(
            run.name, _status(row), *numbers, _pushed(row), _duration(row["duration_seconds"])
        )
    console.print(f"[bold]{escape(str(workdir))}[/bold]", soft_wrap=True)
    console.print(table)
    console.print()


def _status(row: dict[str, Any]) -> str:
    """In a word, and for a failure the component, with which its error begins."""
    failed = row["status"] == "failed" and (row["error"] or "").partition(" failed")[0]
    return f"failed: {failed}" if failed and " " not in failed else row["status"]


def _pushed(row: dict[str, Any]) -> str:
    if row["pushed_model"]:
        version = pathlib.Path(row["pushed_model"]).name
        return version if row["pushed_model_exists"] else f"{version} (deleted since)"
    if row["blessed"] is None:
        return "–"
    return "no, though blessed" if row["blessed"] else "not blessed"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
