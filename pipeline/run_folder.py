"""The folder `WORKDIR/runs/NAME` that each run leaves: its summary, settings, report, model card.

Which runs there are is read in `run_records.py`.
"""

from __future__ import annotations

import dataclasses
import datetime
import logging
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console

from pipeline.metadata_store import connection_config, open_store
from pipeline.run_records import RUNS
from pipeline.saved_settings import save_settings
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.lineage import Run


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """Where a run leaves what it came to.

    Attributes:
        workdir: Where it runs.
        name: Of the run: the time of its start.
        started: That time.
    """

    workdir: pathlib.Path
    name: str
    started: datetime.datetime

    @property
    def path(self) -> pathlib.Path:
        """The folder."""
        return self.workdir / RUNS / self.name

    @classmethod
    def begin(cls, workdir: pathlib.Path) -> RunFolder:
        """Names a run that begins now in a workdir; nothing is written yet."""
        started = datetime.datetime.now().astimezone()
        name = base = started.strftime("%Y%m%d-%H%M%S")
        for number in range(2, 1000):
            if not (workdir / RUNS / name).exists():
                break
            name = f"{base}-{number}"
        return cls(workdir, name, started)

    def close(
        self, settings: Settings, summary: dict[str, Any], run: Run | None, console: Console
    ) -> pathlib.Path:
        """Writes the summary, the settings and, if wanted, the report.

        A report that cannot be made is no reason for a run to fail: the log says why.

        Args:
            settings: That the run was made with.
            summary: What it came to; its `report` is set.
            run: What its components wrote; None if nothing.
            console: What the user sees.

        Returns:
            The summary's file, the one in the workdir.
        """
        from pipeline.summary import write_summary

        self.path.mkdir(parents=True)
        save_settings(self.path, settings)
        summary["report"] = None
        # First without: whatever becomes of the report, the run is on record.
        write_summary(self.path, summary)
        if settings.report.enabled and summary["status"] != "interrupted":
            with console.status("making the report"):
                summary["report"] = self._report(settings, summary, run, console)
            write_summary(self.path, summary)
        return write_summary(self.workdir, summary)

    def _report(
        self, settings: Settings, summary: Mapping[str, Any], run: Run | None, console: Console
    ) -> str | None:
        from pipeline.lineage import read_code
        from pipeline.run_report import write_report

        code: dict[str, str] = {}
        try:
            if run:
                store = open_store(connection_config(self.workdir, settings.run.metadata))
                code = read_code(store, settings.run.pipeline_name, run.id)
            page = write_report(
                settings, summary, self.path, run=run, code=code, workdir=self.workdir
            )
        except Exception as error:
            logging.getLogger(__name__).exception("the report could not be made")
            console.print(
                f"the report could not be made ({type(error).__name__}: {error}); the log says "
                "more, and flowersim report tries it again",
                soft_wrap=True,
                markup=False,
            )
            return None
        return str(page)
