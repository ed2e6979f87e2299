"""Commands that are printed to be copied into a shell mean there what they mean here."""

from __future__ import annotations

import argparse
import pathlib
import shlex
from types import SimpleNamespace

import pytest

from pipeline import local_runner
from pipeline.cli import main
from pipeline.commands import jobs_command

EVIL = "a b; touch $(id) `id` 'x' \"y\""


def test_how_to_serve_what_a_run_has_pushed(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    summary = {"pushed_model": "somewhere", "report": None}
    monkeypatch.setattr(local_runner, "run", lambda *_, **__: SimpleNamespace(summary=summary))
    monkeypatch.setattr("sys.argv", [str(tmp_path / EVIL / "flowersim")])
    assert main(["run", "--workdir", EVIL]) == 0
    serve, ask = (
        shlex.split(line.partition(":")[2]) for line in capsys.readouterr().out.split("\n")[1:3]
    )
    program = str(tmp_path / EVIL / "flowersim")
    assert serve == [program, "serve", "--workdir", EVIL]
    assert ask == [program, "query", "PHOTO.jpg"]


def test_how_to_look_at_a_job_again():
    keys = ("api_endpoint", "host", "namespace", "token_file", "ca_cert", "project", "region")
    options = argparse.Namespace(**dict.fromkeys(keys, EVIL))
    words = shlex.split(jobs_command._reached(options, "job"))
    assert sorted(words[::2]) == sorted(f"--{key.replace('_', '-')}" for key in keys)
    assert set(words[1::2]) == {EVIL}
