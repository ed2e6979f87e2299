"""`flowersim compare` from its arguments to its files."""

from __future__ import annotations

import json
import pathlib

import pytest

from pipeline.cli import main
from tests.pipeline.comparison.small_workdir import images, shaken, write_run

OLDER, NEWER = "20260101-080000", "20260102-070000"


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Two runs."""
    workdir = tmp_path_factory.mktemp("runs") / "demo"
    write_run(workdir, images(), name=OLDER)
    write_run(workdir, shaken(images()), name=NEWER, overrides=["training.epochs=5"])
    return workdir


def test_runs_are_compared_by_name(
    workdir: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers, page = tmp_path / "new" / "numbers.json", tmp_path / "page.html"
    files = ["--json", str(numbers), "--html", str(page)]
    assert main(["compare", "20260101", NEWER, "--workdir", str(workdir), *files]) == 0
    printed = capsys.readouterr().out
    assert f"A  {OLDER}  (reference)" in printed and "training.epochs" in printed
    assert printed.endswith(f"\npage  {page}\n")
    content = json.loads(numbers.read_text("utf-8"))
    assert [run["name"] for run in content["runs"]] == [OLDER, NEWER]
    assert "<!doctype html>" in page.read_text("utf-8")[:200]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "page.html"]


def test_the_page_goes_into_the_workdir_of_the_last_run(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", f"{workdir}@{NEWER}", str(workdir / "runs" / OLDER)]) == 0
    page = workdir / "comparisons" / f"{NEWER}--{OLDER}.html"
    assert f"page  {page}\n" in capsys.readouterr().out
    assert page.is_file()


def test_a_run_that_is_not_there_is_answered_with_those_that_are(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", OLDER, "2027", "--workdir", str(workdir)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("flowersim: there is no run '2027'") and NEWER in error


def test_runs_that_cannot_be_compared_are_refused_without_a_traceback(
    workdir: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strange = [image._replace(identity=b"x" + image.identity) for image in images()]
    write_run(tmp_path / "strange", strange)
    page = tmp_path / "page.html"
    command = ["compare", str(workdir), str(tmp_path / "strange"), "--html", str(page)]
    assert main(command) == 1
    assert "no query of the split validation in common" in capsys.readouterr().err
    assert not page.exists()


def test_one_run_alone_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["compare", OLDER])
    assert raised.value.code == 2
    assert "RUN" in capsys.readouterr().err


def test_long_names_of_files_are_cut(workdir: pathlib.Path) -> None:
    from pipeline.comparison.files import default_page
    from pipeline.run_records import find_run

    records = [find_run(name, workdir) for name in (OLDER, NEWER)]
    assert default_page(records).name == f"{OLDER}--{NEWER}.html"
    many = [default_page([*records * 12, last]).name for last in records]
    assert len(set(many)) == 2 and all(len(name) < 200 for name in many)
