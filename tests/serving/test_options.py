"""Each flag of the model server is read, tried, and TensorFlow Serving's or said to be our own."""

from __future__ import annotations

import ast
import dataclasses
import pathlib
import re

import pytest

from serving.options import ServerOptions, parse_flags

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLAGS = [field.name for field in dataclasses.fields(ServerOptions)]


def _attributes(folder: pathlib.Path) -> set[str]:
    """What is read as `options.NAME`, or `SOMETHING.options.NAME`, in the folder's modules."""
    found = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Attribute) and re.search(
                r"(^|[._])options$", ast.unparse(node.value)
            ):
                found.add(node.attr)
    return found


def test_every_flag_is_read() -> None:
    assert set(FLAGS) - _attributes(ROOT / "serving") == set()


@pytest.mark.parametrize("flag", FLAGS)
def test_every_flag_is_tried_by_a_test(flag: str) -> None:
    """As a flag, or as an argument of `ServerOptions`."""
    texts = [
        path.read_text("utf-8")
        for path in (ROOT / "tests").rglob("*.py")
        if path != pathlib.Path(__file__).resolve()
    ]
    assert any(re.search(rf"--{flag}\b|\b{flag}=", text) for text in texts)


def test_flags_are_tensorflow_serving_s_or_documented_as_our_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    theirs = (ROOT / "tests/serving/deploy/tensorflow_model_server_flags.txt").read_text("utf-8")
    page = (ROOT / "docs" / "serving.md").read_text("utf-8")
    (own,) = re.findall(r"embedded server's own, as are(.*?)\.\n", page, re.DOTALL)
    for flag in FLAGS:
        known = re.search(rf"^(--)?{flag}\b", theirs, re.MULTILINE) is not None
        named = any(
            re.fullmatch(name.replace("…", r"\w+"), f"--{flag}")
            for name in re.findall(r"`(--[\w…]+)`", own)
        )
        assert known != named, flag
    with pytest.raises(SystemExit):
        parse_flags(["--help"])
    printed = capsys.readouterr().out
    assert all(f"--{flag} " in printed for flag in FLAGS)
