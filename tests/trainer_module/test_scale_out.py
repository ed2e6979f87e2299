"""Two replicas or two workers train exactly as one does on the same global batches."""

from __future__ import annotations

import json
import os
import pathlib
import socket
import subprocess
import sys
from typing import Any

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]


def _run_together(folder: pathlib.Path, *commands: tuple[str, ...]) -> list[dict[str, Any]]:
    """Runs the script several times at once; each result, in the order of the commands."""
    processes = []
    try:
        for number, arguments in enumerate(commands):
            with (
                open(folder / f"{number}.out", "w") as out,
                open(folder / f"{number}.err", "w") as err,
            ):
                processes.append(
                    subprocess.Popen(
                        [sys.executable, "tests/trainer_module/scale_out.py", *arguments],
                        cwd=ROOT,
                        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)},
                        stdout=out,
                        stderr=err,
                    )
                )
        for number, process in enumerate(processes):
            status = process.wait(timeout=300)
            assert status == 0, (folder / f"{number}.err").read_text()[-3000:]
    finally:
        for process in processes:
            process.kill()
    outputs = [(folder / f"{number}.out").read_text() for number in range(len(commands))]
    return [json.loads(output.splitlines()[-1]) for output in outputs]


def _assert_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    np.testing.assert_allclose(one["losses"], other["losses"], atol=2e-6)
    np.testing.assert_allclose(one["centers"], other["centers"], atol=2e-6)
    assert one["updates"] == other["updates"]
    for a, b in zip(one["weights"], other["weights"], strict=True):
        np.testing.assert_allclose(a, b, atol=2e-6)


def _free_ports(number: int) -> list[str]:
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def test_two_replicas_fit_as_one(tmp_path: pathlib.Path) -> None:
    _assert_equal(*_run_together(tmp_path, ("fit", "single"), ("fit", "mirrored")))


def test_two_replicas_and_two_workers_train_as_one(tmp_path: pathlib.Path) -> None:
    ports = _free_ports(2)
    expected, *others = _run_together(
        tmp_path,
        ("loop", "single"),
        ("loop", "mirrored"),
        ("loop", "worker", "0", *ports),
        ("loop", "worker", "1", *ports),
    )
    for other in others:
        _assert_equal(expected, other)
