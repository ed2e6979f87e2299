"""`flowersim index` and `flowersim rollback` as far as no pipeline runs."""

from __future__ import annotations

import fcntl
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable

import pytest

from components.gallery_edit import ledger
from components.gallery_edit.ledger import Added, Ledger
from pipeline import workdir_lock
from pipeline.cli import main

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture
def workdir(tmp_path: pathlib.Path) -> pathlib.Path:
    """A workdir with three versions of models that nothing can be searched in."""
    for version, content in ((1000, "a"), (1001, "b"), (1002, "c")):
        folder = tmp_path / "work/serving/flowers" / str(version)
        (folder / "assets.extra").mkdir(parents=True)
        (folder / "saved_model.pb").write_text(content)
        (folder / "assets.extra" / "model_digest.txt").write_text(content * 64)
    return tmp_path / "work"


@pytest.fixture
def photo(tmp_path: pathlib.Path, make_photo: Callable[..., bytes]) -> pathlib.Path:
    path = tmp_path / "photo.jpg"
    path.write_bytes(make_photo(0))
    return path


def _main(capsys: pytest.CaptureFixture[str], *arguments: str | pathlib.Path) -> tuple[int, str]:
    code = main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    return code, printed.err if code else printed.out


def test_help_names_every_action_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; from pipeline.cli import main\n"
        "for words in (['index'], ['index', 'add'], ['index', 'remove'], ['rollback']):\n"
        "    try: main([*words, '--help'])\n"
        "    except SystemExit: pass\n"
        "heavy = ('tensorflow', 'tfx', 'keras', 'numpy', 'pydantic', 'ml_metadata')\n"
        "print([module for module in heavy if module in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.stdout.splitlines()[-1] == "[]"
    for action in ("add", "remove", "restore", "rebuild", "purge", "list"):
        assert f"\n    {action} " in result.stdout
    assert "--release" in result.stdout and "--skip-bad" in result.stdout


@pytest.mark.parametrize(
    "command",
    [
        ["index", "remove", "a"],
        ["index", "restore", "a"],
        ["index", "purge"],
        ["index", "list"],
        ["rollback"],
        ["rollback", "--list"],
    ],
)
def test_where_nothing_was_pushed_that_is_told(
    tmp_path: pathlib.Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, error = _main(capsys, *command, "--workdir", tmp_path / "new")
    assert code == 1 and "holds 0 models (none), and exactly one is needed" in error
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["index", "add", "PHOTO"], "is a single photo, so say with --class what it shows"),
        (["index", "add", "nowhere", "--class", "x"], "nowhere is not a folder"),
        (["index", "remove"], "no id was given: name some, or a file with --file"),
        (["index", "restore", "--file", "/no/such/file"], "No such file or directory"),
        (["index", "remove", "--file", "PHOTO"], "photo.jpg is no text in UTF-8"),
        (["index", "remove", "a"], "metadata.sqlite is gone"),
        (["rollback", "7"], "there is no version 7; there are: 1000, 1001, 1002"),
        (["rollback", "1002"], "the model of version 1002 is what is served now"),
        (["rollback", "--release"], "nothing is held"),
    ],
)
def test_what_cannot_be_done_is_told_in_words(
    workdir: pathlib.Path,
    photo: pathlib.Path,
    command: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [str(photo) if word == "PHOTO" else word for word in command]
    code, error = _main(capsys, *words, "--workdir", workdir)
    assert code == 1 and message in error
    assert sorted(p.name for p in (workdir / "serving/flowers").iterdir()) == [
        "1000",
        "1001",
        "1002",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["index"], "the following arguments are required: ACTION"),
        (["index", "add"], "the following arguments are required: FOLDER"),
        (["index", "list", "--added", "--removed"], "not allowed with argument"),
        (["rollback", "latest"], "latest is no whole number above 0"),
        (["rollback", "--list", "--release"], "not allowed with argument"),
        (["rollback", "1000", "--release"], "not allowed with argument"),
    ],
)
def test_wrong_usage_is_told(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2 and message in capsys.readouterr().err


def test_a_rebuild_needs_settings(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, error = _main(capsys, "index", "rebuild", "--workdir", workdir)
    assert code == 2 and "settings.yaml is not there: flowersim run writes it" in error
    (workdir / "settings.yaml").write_text("gallery:\n  neighbours: 7\n")
    wrong = "gallery.neighbour=7"
    code, error = _main(capsys, "index", "rebuild", "--set", wrong, "--workdir", workdir)
    assert code == 2 and "did you mean gallery.neighbours?" in error


def test_a_workdir_in_use_is_left_alone(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with open(workdir / workdir_lock.FILE, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write("process 7")
        file.flush()
        for command in (["rollback"], ["rollback", "--release"], ["index", "remove", "a"]):
            code, error = _main(capsys, *command, "--workdir", workdir)
            assert code == 1 and "is in use by process 7" in error
        # Looking needs no lock.
        code, printed = _main(capsys, "rollback", "--list", "--workdir", workdir)
    assert code == 0 and printed.count("\n") == 3


def test_rollback_list_and_release(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed = _main(capsys, "rollback", "--workdir", workdir)
    assert code == 0 and "serves the model of version 1001\n" in printed
    assert "runs push nothing until: flowersim rollback --release" in printed
    code, printed = _main(capsys, "rollback", "--list", "--workdir", workdir)
    lines = printed.splitlines()
    assert [line.split()[0] for line in lines[:3]] == ["1000", "1001", "1002"]
    assert f"model {'b' * 12}  served  rollback to 1001  runs push nothing until" in lines[3]
    newest = lines[3].split()[0]
    code, printed = _main(capsys, "rollback", "--release", "--workdir", workdir)
    assert code == 0 and printed == f"released: version {newest} is served until the next push\n"
    _, printed = _main(capsys, "rollback", "--list", "--workdir", workdir)
    assert "runs push nothing" not in printed


def test_what_was_changed_is_listed_from_the_ledger(
    workdir: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = Ledger(removed={"old/1.jpg": "2026-01-02"}).adding([Added("ü/1.jpg", "ü", "x.jpg")])
    ledger.write(workdir / "gallery", changed)
    assert _main(capsys, "index", "list", "--added", "--workdir", workdir) == (0, "ü/1.jpg\tü\n")
    assert _main(capsys, "index", "list", "--removed", "--workdir", workdir) == (
        0,
        "old/1.jpg\t2026-01-02\n",
    )
    code, error = _main(capsys, "index", "list", "--workdir", workdir)
    assert code == 1 and "1002 is no similarity model" in error
    (workdir / "gallery" / ledger.FILE).write_text("[]")
    code, error = _main(capsys, "index", "list", "--added", "--workdir", workdir)
    assert code == 1 and "ledger.json must hold two lists" in error


def test_a_reader_that_has_seen_enough_is_no_error(workdir: pathlib.Path) -> None:
    photos = [Added(f"{i:06}", "x" * 50, "x.jpg") for i in range(20_000)]
    ledger.write(workdir / "gallery", Ledger(tuple(photos)))
    command = f"{sys.executable} -m pipeline.cli index list --added --workdir {workdir} | head -1"
    result = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("000000\t")
