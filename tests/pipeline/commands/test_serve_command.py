"""`flowersim serve`: which backend it takes and what it says, in a process of its own."""

from __future__ import annotations

import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from serving import docker_backend
from tests.serving import fake_docker
from tests.serving.conftest import grey_png, similar_folder  # noqa: F401 (a fixture)

ROOT = pathlib.Path(__file__).resolve().parents[3]


class Command:
    """`flowersim serve` on a workdir, with a docker."""

    def __init__(self, folder: pathlib.Path, docker: fake_docker.Docker) -> None:
        self.docker = docker
        self.folder = folder / "serving" / "roses"
        self.folder.mkdir(parents=True)
        self._workdir = folder

    def start(self, *arguments: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli", "serve", *arguments],
            cwd=ROOT,
            env={**self.docker.environment, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Whoever runs the tests in the background has it ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start("--workdir", str(self._workdir), *arguments)
        output, errors = process.communicate(timeout=60)
        return process.returncode, output, errors

    def until(self, text: str, *arguments: str) -> list[str]:
        """The lines on stderr up to one with that text; then Ctrl-C, and it must end well."""
        process = self.start("--workdir", str(self._workdir), *arguments)
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line.rstrip("\n"))
            if text in line:
                break
        else:
            raise AssertionError("\n".join(lines))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert "Traceback" not in errors
        return lines


@pytest.fixture
def serve(tmp_path):
    """Makes the command, with docker in a mode."""
    return lambda mode: Command(tmp_path / "run", fake_docker.install(tmp_path, mode))


@pytest.fixture
def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return str(found.getsockname()[1])


@pytest.mark.parametrize(
    ("mode", "reason"),
    [
        ("no-daemon", "docker's daemon does not answer"),
        ("no-image", f"docker has no image {docker_backend.IMAGE} yet"),
    ],
)
def test_auto_downloads_nothing_and_needs_no_docker(serve, mode, reason):
    command = serve(mode)
    lines = command.until("serving roses at http://127.0.0.1:", "--port", "0")
    assert lines[0] == f"flowersim: backend embedded: {reason}"
    assert not [call for call in command.docker.calls() if call[0] in ("run", "pull")]


def test_embedded_does_not_ask_docker(serve):
    command = serve("waits")
    lines = command.until("serving roses at", "--port", "0", "--backend", "embedded")
    assert lines[0] == "flowersim: backend embedded, as asked for"
    assert command.docker.calls() == []


def test_auto_takes_docker_that_has_the_image(serve, free_port):
    command = serve("waits")
    image = "tensorflow/serving:99.1.0"
    lines = command.until("will be at", "--port", free_port, "--image", image)
    assert lines == [
        f"flowersim: backend docker: its daemon answers, and has {image}",
        f"flowersim: roses will be at http://127.0.0.1:{free_port}; Ctrl-C stops it",
    ]


def test_auto_does_not_take_an_image_that_may_not_know_the_model(serve):
    command = serve("waits")
    image = "tensorflow/serving:2.9.0-gpu"
    lines = command.until("serving roses at", "--port", "0", "--image", image)
    assert re.match(
        rf"flowersim: backend embedded: {image} is older than the TensorFlow 2\.\d+ here", lines[0]
    )
    assert not [call for call in command.docker.calls() if call[0] in ("run", "pull")]


def test_docker_as_asked_for_may_download(serve, free_port):
    command = serve("no-image")
    lines = command.until(
        "will be at", "--port", free_port, "--backend", "docker", "--image", "an/image:1"
    )
    assert lines[0] == "flowersim: backend docker, as asked for: an/image:1"


def test_requests_are_logged(serve, tmp_path, similar_folder):  # noqa: F811
    """By the embedded server, whatever docker has, and so that the log can be read."""
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    from serving.client import SimilarityClient

    command = serve("waits")
    shutil.copytree(similar_folder / "12", command.folder / "12")
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = found.getsockname()[1]
    logs = tmp_path / "logs" / "asked"
    process = command.start(
        *("--workdir", str(command.folder.parents[1]), "--port", str(port)),
        *("--request-log", str(logs)),
    )
    try:
        with SimilarityClient(f"http://127.0.0.1:{port}", "roses") as client:
            client.wait_until_available(60)
            client.similar(grey_png(100))
    finally:
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    assert errors.splitlines()[0] == "flowersim: backend embedded, which logs requests"
    (file,) = logs.parent.glob("asked-*.tfrecord")
    (record,) = tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
    assert request.inputs["image_bytes"].string_val == [grey_png(100)]


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--backend", "docker", "--request-log", "x"], 1, "--request-log needs the embedded"),
        (["--print-command", "--request-log", "x"], 1, "--print-command prints how to run Tens"),
        (["--request-log-share", "0.1"], 2, "--request-log-share is a share of what --request-log"),
        (["--request-log-share", "0"], 2, "0 is no share above 0 and up to 1"),
    ],
)
def test_logs_that_cannot_be(serve, arguments, status, words):
    found, _, errors = serve("waits")(*arguments)
    assert found == status and words in errors and "Traceback" not in errors


def test_docker_without_a_daemon_is_an_error_of_one_line(serve):
    status, output, errors = serve("no-daemon")("--backend", "docker")
    assert (status, output) == (1, "")
    assert errors == (
        "flowersim: --backend docker: docker's daemon does not answer; --backend embedded needs "
        "no docker\n"
    )


def test_docker_that_cannot_start_it(serve, free_port):
    status, _, errors = serve("fails")("--backend", "docker", "--port", free_port)
    assert status == 1
    assert errors.splitlines()[-2:] == [
        "docker: Error response from daemon: no such thing.",
        "flowersim: docker could not start the server; what it said is above",
    ]


@pytest.mark.parametrize("mode", ["waits", "no-daemon"])
def test_a_port_that_is_taken(serve, mode):
    command = serve(mode)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        status, _, errors = command("--port", str(port))
    assert status == 1
    assert f"flowersim: cannot listen on 127.0.0.1:{port}: " in errors.splitlines()[-1]
    assert not [call for call in command.docker.calls() if call[0] == "run"]


def test_the_command_is_printed_and_nothing_is_done(serve):
    command = serve("no-daemon")
    status, output, errors = command("--print-command", "--port", "0", "--grpc-port", "8500")
    assert (status, errors, command.docker.calls()) == (0, "", [])
    assert shlex.split(output) == docker_backend.run_command(
        docker_backend.Container(
            "roses", str(command.folder.resolve()), rest_port=0, grpc_port=8500
        )
    )


def test_without_a_pushed_model(tmp_path):
    docker = fake_docker.install(tmp_path, "waits")
    command = Command(tmp_path / "run", docker)
    process = command.start("--workdir", str(tmp_path / "nowhere"))
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "holds 0 models" in errors
    assert docker.calls() == []
