"""What a person sees of a run, and what is told of a failure."""

from __future__ import annotations

import io
import pathlib
from collections.abc import Callable

import pytest
from rich.console import Console

from pipeline.spec_executor.display import Display
from pipeline.spec_executor.failure import last_line, reason
from pipeline.spec_executor.run import Run, State, TaskRun
from tests.pipeline.spec_executor.specs import Spec


def spec() -> Spec:
    made = Spec()
    made.shell("good", "echo fine")
    made.shell("bad", "echo [bold]why >&2; exit 2")
    inside = made.dag("dag")
    made.task("never", "good", of=inside)
    made.task("good")
    made.task("bad", after=["good"])
    made.task("after", "good", after=["bad"])
    made.task("dag", condition="false")
    return made


def test_lines_for_what_is_over(run: Callable[..., Run], tmp_path: pathlib.Path):
    file = io.StringIO()
    with Display(Console(file=file, width=40), spec().load(tmp_path)) as display:
        result = run(spec(), listener=display, jobs=1)
    lines = sorted(file.getvalue().splitlines())
    assert any(line.startswith("  [ 1/4] good ") and line.endswith(" s") for line in lines)
    assert any(line.split() == ["dag", "skipped"] for line in lines)
    assert any(line.split() == ["[", "2/4]", "bad", "failed"] for line in lines)
    assert any(line.split() == ["[", "3/4]", "after", "not", "run"] for line in lines)
    assert "          exit status 2" in lines and "          [bold]why" in lines
    assert f"          log: {result.tasks['bad'].log}" in lines, "on one line, however long"


def test_the_table_shows_what_runs_and_its_last_words(tmp_path: pathlib.Path):
    log = tmp_path / "log"
    log.write_text("first\nstep 1\rstep 2 of [3]\n\n")
    file = io.StringIO()
    console = Console(file=file, width=70, force_terminal=True, color_system=None)
    with Display(console, spec().load(tmp_path)) as display:
        display.begun("good", log)
        display.begun("bad", tmp_path / "no-log-yet")
        console.print(display._table())
        display.ended(TaskRun("good", State.SUCCEEDED, 1.0))
        console.print("then")
        console.print(display._table())
    before, _, after = file.getvalue().partition("then")
    assert "good" in before and "step 2 of [3]" in before and "starting" in before
    assert "step 2" not in after and "bad" in after


TRACEBACK = """\
I0101 some log
Traceback (most recent call last):
  File "a.py", line 1, in <module>
    f()
ValueError: the first

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "b.py", line 2, in g
    raise tfx.Error("x")
package.module.SomeError: the second
and more of it
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (TRACEBACK, "package.module.SomeError: the second\nand more of it"),
        ("one\n\ntwo\n", "one\ntwo"),
        ("\n".join(map(str, range(9))), "3\n4\n5\n6\n7\n8"),
        ("Traceback (most recent call last):\n  File\nKilled", "Killed"),
        ("", ""),
        ("\x1b[31mred\x1b[0m\x07\n", "red"),
    ],
)
def test_the_reason_of_a_failure(tmp_path: pathlib.Path, text: str, expected: str):
    log = tmp_path / "log"
    log.write_text(text)
    assert reason(log) == expected
    assert reason(tmp_path / "none") == last_line(tmp_path / "none") == ""
