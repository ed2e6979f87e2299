"""The command line as a user meets it: in a process of its own."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

from pipeline.component_ids import COMPONENT_IDS

ROOT = pathlib.Path(__file__).resolve().parents[2]


def flowersim(*arguments: str, cwd: pathlib.Path = ROOT) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *arguments],
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "COLUMNS": "100"},
        capture_output=True,
        text=True,
    )


def test_help_lists_every_command() -> None:
    result = flowersim("--help")
    assert result.returncode == 0
    for command in ("run", "prepare", "serve", "query"):
        assert f"\n    {command} " in result.stdout


def test_help_needs_no_heavy_import() -> None:
    code = (
        "import sys; from pipeline.cli import main\n"
        "try: main(['run', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = ('tensorflow', 'tfx', 'keras', 'numpy', 'pydantic')\n"
        "print([module for module in heavy if module in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--preset", "roses"], "unknown preset 'roses'; there are: demo, flowers102"),
        (["run", "--set", "training.epoch=3"], "did you mean training.epochs?"),
        (["run", "--set", "training.epochs=-1"], "training.epochs=-1 is not allowed"),
    ],
)
def test_bad_settings_end_with_one_line_and_status_2(arguments: list[str], message: str) -> None:
    result = flowersim(*arguments)
    assert result.returncode == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("flowersim: ") and message in line


def test_a_wrong_component_is_told_at_once_with_those_there_are(tmp_path: pathlib.Path) -> None:
    for flag in ("--from", "--to"):
        result = flowersim("run", flag, "Training", "--workdir", str(tmp_path / "new"))
        assert result.returncode == 2
        assert f"argument {flag}: invalid choice: 'Training'" in result.stderr
        assert all(name in result.stderr for name in COMPONENT_IDS)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serve", "--port", "99999"], "argument --port: 99999 is no port"),
        (["query", "photo.jpg", "--k", "0"], "argument --k: 0 is no whole number above 0"),
        (["serve", "--port", "http"], "argument --port: http is no port"),
        (["tensorboard", "--port", "99999"], "argument --port: 99999 is no port"),
    ],
)
def test_numbers_out_of_range_are_wrong_usage(arguments: list[str], message: str) -> None:
    result = flowersim(*arguments)
    assert result.returncode == 2 and message in result.stderr


def test_what_cannot_be_read_is_named_in_one_line(tmp_path: pathlib.Path) -> None:
    result = flowersim("query", str(tmp_path))
    assert result.returncode == 1
    (line,) = result.stderr.splitlines()
    assert str(tmp_path) in line and "has no photo" in line


def test_a_later_part_needs_an_earlier_run(tmp_path: pathlib.Path) -> None:
    result = flowersim("run", "--from", "Trainer", "--workdir", str(tmp_path))
    assert result.returncode == 2
    assert "--from Trainer takes what comes before it from an earlier run" in result.stderr


def test_a_server_that_is_not_there_is_named(tmp_path: pathlib.Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"\xff\xd8\xff")
    result = flowersim("query", str(photo), "--url", "http://127.0.0.1:9")
    assert result.returncode == 1
    assert "http://127.0.0.1:9" in result.stderr and "Traceback" not in result.stderr


def test_a_photo_that_is_not_there_is_named() -> None:
    result = flowersim("query", "no such photo.jpg")
    assert result.returncode == 1
    assert "no such photo.jpg" in result.stderr and "Traceback" not in result.stderr


def test_serving_before_a_run_says_what_to_do(tmp_path: pathlib.Path) -> None:
    result = flowersim("serve", "--workdir", str(tmp_path))
    assert result.returncode == 1
    assert "flowersim run pushes one there" in result.stderr and "Traceback" not in result.stderr


def test_parts_and_the_cache_are_passed_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from types import SimpleNamespace

    from pipeline import local_runner
    from pipeline.cli import main

    calls = []

    def run(settings, workdir, **options):
        calls.append((settings.run.cache, workdir, options["first"], options["last"]))
        return SimpleNamespace(summary={"pushed_model": None, "report": "page.html"})

    monkeypatch.setattr(local_runner, "run", run)
    place = ["--workdir", str(tmp_path)]
    assert main(["run", *place]) == 0
    assert main(["run", *place, "--no-cache", "--from", "Trainer", "--to", "Pusher"]) == 0
    assert calls == [(True, tmp_path, None, None), (False, tmp_path, "Trainer", "Pusher")]
    assert capsys.readouterr().out.splitlines()[-1] == "look at it:  page.html"


def test_query_asks_the_model_that_the_run_pushed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    from types import SimpleNamespace

    from pipeline import local_runner, sample_query
    from pipeline.cli import main

    pushed: list[str | None] = ["serving/flowers/7", "serving/flowers/7", None]
    asked = []

    def run(*_, **__):
        bad = [{"id": "cut.jpg", "reason": "cut short"}]
        summary = {"pushed_model": pushed.pop(0), "report": None, "bad_images": bad}
        return SimpleNamespace(summary=summary, dataset="DATASET", log=str(tmp_path / "run.log"))

    def ask(model, name, dataset, console, *, skip):
        asked.append((model, name, dataset, skip))

    monkeypatch.setattr(local_runner, "run", run)
    monkeypatch.setattr(sample_query, "ask_about_a_test_image", ask)
    command = ["run", "--workdir", str(tmp_path), "--set", "serving.model_name=roses"]
    assert main(command) == 0 and asked == []
    assert main([*command, "--query"]) == 0
    assert asked == [("serving/flowers/7", "roses", "DATASET", {"cut.jpg"})]
    # Of a run that pushed nothing, nothing is asked.
    assert main([*command, "--query"]) == 0 and len(asked) == 1


def test_settings_as_markdown_are_the_readme_s() -> None:
    result = flowersim("settings", "--markdown")
    assert result.returncode == 0
    assert f"\n{result.stdout}\n" in (ROOT / "README.md").read_text("utf-8")
