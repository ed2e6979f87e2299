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
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def _start(*arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "tests/trainer_module/scale_out.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _result(process: subprocess.Popen) -> dict[str, Any]:
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err[-3000:]
    return json.loads(out.splitlines()[-1])


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


@pytest.mark.parametrize("how", ["fit", "loop"])
def test_two_replicas_train_as_one(how: str) -> None:
    single, mirrored = _start(how, "single"), _start(how, "mirrored")
    _assert_equal(_result(single), _result(mirrored))


def test_two_workers_train_as_one() -> None:
    ports = _free_ports(2)
    single = _start("loop", "single")
    workers = [_start("loop", "worker", str(index), *ports) for index in range(2)]
    expected = _result(single)
    for worker in workers:
        _assert_equal(expected, _result(worker))
