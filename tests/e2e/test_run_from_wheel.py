"""The whole pipeline from a wheel, in a folder that is not the checkout, which nothing imports."""

from __future__ import annotations

import json
import pathlib
import re

import pytest

from tests.wheel import build_wheel, call, install

# Another run of the pipeline, of which all but the place of the code is the same.
pytestmark = [pytest.mark.e2e, pytest.mark.extended]


def test_a_run_and_a_question(tmp_path: pathlib.Path, tiny: tuple[str, ...]) -> None:
    (tmp_path / "wheel").mkdir()
    install(build_wheel(tmp_path / "wheel"), tmp_path / "env")
    home = tmp_path / "home"
    home.mkdir()
    settings = [word for setting in tiny for word in ("--set", setting)]
    run = call(tmp_path / "env", "flowersim", "run", "--query", *settings, cwd=home)
    assert run.returncode == 0, run.stdout + run.stderr
    summary = json.loads((home / "runs/demo/summary.json").read_text("utf-8"))
    assert summary["status"] == "succeeded" and summary["blessed"]
    assert pathlib.Path(summary["pushed_model"]).parent == home / "runs/demo/serving/flowers"
    # The answer: neighbours by rank, with scores.
    printed = run.stdout + run.stderr
    assert re.search(r"^ +1 +[01]\.\d{4} +(yes|no) ", printed, re.MULTILINE), printed
    (page,) = re.findall(r"^look at it:  (.*)$", run.stdout, re.MULTILINE)
    assert pathlib.Path(page).read_text("utf-8").startswith("<!doctype html>")
    made = json.loads(call(tmp_path / "env", "flowersim", "runs", "--json", cwd=home).stdout)
    assert [one["status"] for one in made] == ["succeeded"]
