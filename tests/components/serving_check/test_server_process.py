"""The server's process: what it imports, how it ends, and what is told when it ends by itself."""

from __future__ import annotations

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time

import httpx
import pytest
import tensorflow as tf

import components
import serving
from components.serving_check import server_process
from components.serving_check.config import CheckFailedError
from components.serving_check.rest_model import RefusedRequestError, RestModel
from components.serving_check.server_process import ServerProcess

ROOT = pathlib.Path(components.__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def base_path(tmp_path_factory: pytest.TempPathFactory, good_model: pathlib.Path) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("versions")
    (folder / "1").symlink_to(good_model)
    return folder


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_it_is_asked_and_when_it_is_killed_that_is_told(
    base_path: pathlib.Path, tmp_path: pathlib.Path, photos: list[bytes]
) -> None:
    log = tmp_path / "server.log"
    with ServerProcess(base_path, "flowers", log, request_timeout_seconds=30) as server:
        assert 0 < server.wait_until_available(120) < 120
        with RestModel(
            server.url, "flowers", timeout_seconds=30, exit_status=server.exit_status
        ) as rest:
            column = rest.predict("similar", "image_bytes", photos[:2])
            rows = rest.predict("similar", "image_bytes", photos[:2], form="instances")
            assert column.keys() == rows.keys()
            assert all((column[name] == rows[name]).all() for name in rows)
            assert column["neighbour_ids"][0, 0] == "train ü0".encode()
            only = rest.predict("thumbnail", "ids", [b"train \xc3\xbc1"], form="instances")
            assert only[""].tolist() == [b"thumbnail 1"]
            with pytest.raises(RefusedRequestError, match="HTTP status 400: .*nothing") as caught:
                rest.predict("nothing", "image_bytes", [b"no photo"])
            assert caught.value.status == 400

            assert server._process is not None and server.exit_status() is None
            os.kill(server._process.pid, signal.SIGKILL)
            with pytest.raises(CheckFailedError, match="ended with status -9 when it was asked"):
                rest.predict("similar", "image_bytes", photos[:2])
    assert "is available" in log.read_text()


def test_it_ends_when_the_context_does(base_path: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with ServerProcess(base_path, "flowers", tmp_path / "log", request_timeout_seconds=30) as one:
        assert one._process is not None
        pid = one._process.pid
        assert _is_alive(pid)
    assert not _is_alive(pid)


# Serves, tells the process's id, and waits to be killed.
_SCRIPT = """
import sys, time
from components.serving_check.server_process import ServerProcess
with ServerProcess(sys.argv[1], "flowers", sys.argv[2], request_timeout_seconds=30) as server:
    server.wait_until_available(120)
    print(server._process.pid, flush=True)
    time.sleep(600)
"""


def test_it_ends_when_the_run_is_killed_and_needs_the_python_path_only(
    base_path: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """As in a container: a copy of the code, on a relative path, with no terminal."""
    for room in ("components", "serving"):
        shutil.copytree(ROOT / room, tmp_path / "code" / room)
    with open(tmp_path / "code" / "serving" / "model_server.py", "r+") as file:
        text = file.read()
        file.seek(0)
        file.write(text.replace('if __name__ == "__main__":', 'print("of the copy")\nif 0:'))
        file.truncate()
    log = tmp_path / "server.log"
    run = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, str(base_path), str(log)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": "code"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert run.stdout is not None
        pid = int(run.stdout.readline())
        assert _is_alive(pid)
    finally:
        run.kill()
        run.communicate()
    deadline = time.monotonic() + 20
    while _is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _is_alive(pid)
    assert "of the copy" in log.read_text()


def test_a_model_that_the_server_cannot_load_is_told(
    good_model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    shutil.copytree(good_model, tmp_path / "versions" / "1")
    records = tmp_path / "versions" / "1" / "assets.extra" / "tf_serving_warmup_requests"
    records.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(records)) as writer:
        writer.write(b"no message")
    log = tmp_path / "log"
    with (
        ServerProcess(tmp_path / "versions", "flowers", log, request_timeout_seconds=9) as server,
        pytest.raises(
            CheckFailedError, match="the server cannot load the model: .*warmup_requests"
        ),
    ):
        server.wait_until_available(120)
    assert "cannot be loaded" in log.read_text()


def test_a_server_that_cannot_start_says_why(tmp_path: pathlib.Path, monkeypatch) -> None:
    """Its folder is there when it is started, and gone when it looks."""
    folder = tmp_path / "gone"
    folder.mkdir()
    start = subprocess.Popen

    def start_and_remove(*arguments, **options):
        process = start(*arguments, **options)
        folder.rmdir()
        return process

    monkeypatch.setattr(server_process.subprocess, "Popen", start_and_remove)
    with (
        ServerProcess(folder, "flowers", tmp_path / "log", request_timeout_seconds=1) as server,
        pytest.raises(CheckFailedError, match="ended with status 1 before .*/gone does not exist"),
    ):
        server.wait_until_available(60)


def test_a_port_that_is_taken_is_given_up(
    base_path: pathlib.Path, tmp_path: pathlib.Path, monkeypatch
) -> None:
    real = server_process._free_port
    with httpx.Client() as http, server_process.socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = [taken.getsockname()[1]]
        monkeypatch.setattr(server_process, "_free_port", lambda: ports.pop() if ports else real())
        with ServerProcess(
            base_path, "flowers", tmp_path / "log", request_timeout_seconds=9
        ) as one:
            one.wait_until_available(120)
            assert http.get(f"{one.url}/v1/models/flowers").status_code == 200


def test_the_environment_has_the_code_first_and_absolute(monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(["relative", "", str(ROOT)]))
    paths = server_process._environment()["PYTHONPATH"].split(os.pathsep)
    assert paths == [str(ROOT), os.path.abspath("relative")]
    assert pathlib.Path(serving.__file__).resolve().is_relative_to(ROOT)
