"""Stock TensorFlow Serving in docker, with a program in docker's place: `fake_docker.py`."""

from __future__ import annotations

import csv
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest

from serving import docker_backend
from serving.docker_backend import Container, DockerError, run_command, why_not
from serving.options import parse_flags
from tests.serving import fake_docker
from tests.serving.deploy.deploy_files import SERVING_FLAGS, flag_names


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """Installs `docker` in a mode, and nothing else by that name."""

    def install(mode: str) -> fake_docker.Docker:
        found = fake_docker.install(tmp_path, mode)
        for name, value in found.environment.items():
            monkeypatch.setenv(name, value)
        return found

    return install


class TestWhetherItCanBeUsed:
    @pytest.mark.parametrize(
        ("mode", "image", "reason"),
        [
            ("no-daemon", None, "docker's daemon does not answer"),
            ("remote", None, "docker's daemon is at tcp://10.1.2.3:2375, which may not see this"),
            ("no-image", "an/image:1", "docker has no image an/image:1 yet"),
        ],
    )
    def test_why_not(self, docker, mode, image, reason):
        docker(mode)
        assert why_not(image).startswith(reason)

    @pytest.mark.parametrize(("mode", "image"), [("waits", "an/image:1"), ("no-image", None)])
    def test_it_can(self, docker, mode, image):
        docker(mode)
        assert why_not(image) == ""

    def test_there_is_no_docker(self, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", str(tmp_path))
        assert why_not() == "there is no docker program"

    def test_what_is_no_program_is_no_error(self, docker):
        found = docker("waits")
        pathlib.Path(found.path.partition(":")[0], "docker").write_bytes(b"\x7fELF nonsense")
        assert why_not().startswith("docker cannot be run: ")

    def test_a_daemon_that_hangs_is_not_waited_for(self, docker):
        docker("hangs")
        begin = time.monotonic()
        assert why_not(timeout_seconds=1.0) == "docker's daemon did not answer within 1 s"
        assert time.monotonic() - begin < 3


class TestCommand:
    def test_what_is_mounted_and_published(self, tmp_path):
        command = run_command(
            Container("roses", str(tmp_path), rest_port=80, grpc_port=90, image="an/image:1")
        )
        assert [w for w in command if w.startswith("--publish=")] == [
            "--publish=127.0.0.1:80:8501",
            "--publish=127.0.0.1:90:8500",
        ]
        mounts = [w.removeprefix("--mount=") for w in command if w.startswith("--mount=")]
        assert mounts[0] == f"type=bind,source={tmp_path},target=/models/roses,readonly"
        assert all(mount.endswith(",readonly") for mount in mounts)
        image = command.index("an/image:1")
        flags = command[image + 1 :]
        assert flag_names(flags) <= SERVING_FLAGS
        options = parse_flags(flags)
        assert (options.model_name, options.model_base_path) == ("roses", "/models/roses")
        assert (options.rest_api_port, options.port) == (8501, 8500)
        targets = [dict(f.split("=") for f in m.split(",")[:-1])["target"] for m in mounts]
        assert {options.model_base_path, options.monitoring_config_file} == set(targets)

    def test_the_container_may_do_nothing_but_serve_and_stops_on_signals(self):
        command = run_command(Container("m", "/m"))
        options = set(command[: command.index(docker_backend.IMAGE)])
        assert {"--rm", "--init"} <= options  # without its init it would ignore SIGTERM
        assert {"--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"} <= options
        assert f"--user={os.getuid()}:{os.getgid()}" in options

    def test_grpc_is_not_published_unless_asked_for(self, tmp_path):
        command = run_command(Container("m", str(tmp_path)))
        published = [w for w in command if w.startswith("--publish")]
        assert published == ["--publish=127.0.0.1:8501:8501"]

    def test_a_comma_in_a_path_is_quoted_as_docker_wants_it(self):
        command = run_command(Container("m", '/a "b", c'))
        (mount,) = (w for w in command if "target=/models/m" in w)
        (fields,) = csv.reader([mount.removeprefix("--mount=")])
        assert fields == ["type=bind", 'source=/a "b", c', "target=/models/m", "readonly"]

    @pytest.mark.parametrize(
        ("host", "published", "url"),
        [
            ("::1", "[::1]", "http://[::1]:8501"),
            ("0.0.0.0", "0.0.0.0", "http://0.0.0.0:8501"),
        ],
    )
    def test_addresses(self, host, published, url):
        container = Container("m", "/m", host=host)
        assert f"--publish={published}:8501:8501" in run_command(container)
        assert container.url == url

    def test_a_name_becomes_an_address(self):
        (published,) = (
            w for w in run_command(Container("m", "/m", host="localhost")) if "publish" in w
        )
        assert published in ("--publish=127.0.0.1:8501:8501", "--publish=[::1]:8501:8501")

    def test_an_unknown_host_is_named(self):
        with pytest.raises(OSError, match=r"cannot listen on no\.such\.host\.invalid: "):
            run_command(Container("m", "/m", host="no.such.host.invalid"))

    def test_docker_itself_understands_it(self, tmp_path):
        """A real client parses its arguments before it looks for a daemon."""
        real = shutil.which("docker")
        if real is None:
            pytest.skip("needs a docker client")
        words = run_command(Container("m", str(tmp_path)))[1:]
        nowhere = f"unix://{tmp_path}/no.sock"
        run = [real, "--host", nowhere, *words]
        result = subprocess.run(run, capture_output=True, text=True, timeout=60)
        assert result.returncode == 125
        assert "nnect to the Docker daemon" in result.stderr, result.stderr
        run.insert(4, "--no-such-flag")
        result = subprocess.run(run, capture_output=True, text=True, timeout=60)
        assert "unknown flag: --no-such-flag" in result.stderr


class TestPorts:
    def test_one_that_is_taken_is_named(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            for ports in ({"rest_port": port}, {"rest_port": 0, "grpc_port": port}):
                with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: "):
                    docker_backend.with_free_ports(Container("m", "/m", **ports))

    def test_0_becomes_one_that_is_free(self):
        container = docker_backend.with_free_ports(Container("m", "/m", rest_port=0))
        with socket.create_server(("127.0.0.1", container.rest_port)):
            pass
        assert str(container.rest_port) in container.name


def serve_in_a_process(container: Container) -> subprocess.Popen:
    """Signals are for a process's main thread."""
    code = (
        "import sys; from serving.docker_backend import *\n"
        "try: serve(Container(*sys.argv[1:3], rest_port=int(sys.argv[3])))\n"
        "except DockerError as error: print(error); sys.exit(1)"
    )
    arguments = (container.model_name, container.model_folder, str(container.rest_port))
    root = str(pathlib.Path(__file__).resolve().parents[2])
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": root},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


class TestServing:
    def test_the_model_answers_where_it_should(self, docker, add_folder):
        found = docker("serve")
        container = docker_backend.with_free_ports(Container("add", str(add_folder), rest_port=0))
        process = serve_in_a_process(container)
        try:
            wait_for(lambda: self._answers(container.url))
            metrics = httpx.get(f"{container.url}/monitoring/prometheus/metrics")
            assert ":tensorflow:serving:request_count" in metrics.text
            assert found.run_call() == run_command(container)[1:]
        finally:
            process.terminate()
            output = process.communicate(timeout=30)
        assert process.returncode == 0, output
        with pytest.raises(httpx.ConnectError):
            httpx.get(container.url)

    @staticmethod
    def _answers(url: str) -> bool:
        try:
            response = httpx.post(f"{url}/v1/models/add:predict", json={"instances": [1.0]})
        except httpx.ConnectError:
            return False
        return response.is_success and response.json() == {"predictions": [5.0]}

    @pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
    def test_a_signal_stops_the_container_once(self, docker, name):
        found = docker("waits")
        container = Container("m", "/m")
        process = serve_in_a_process(container)
        wait_for(lambda: ["started"] in found.calls())
        for _ in range(2):
            process.send_signal(getattr(signal, name))
        process.communicate(timeout=30)
        assert process.returncode == 0
        calls = found.calls()
        assert [call for call in calls if call[0] == "got"] == [["got", "SIGTERM"]]
        assert calls[-1] == ["rm", "--force", container.name]
        assert "--rm" in found.run_call() and container.name in found.run_call()

    def test_a_container_that_does_not_stop_is_removed(self, docker, monkeypatch):
        found = docker("stubborn")
        monkeypatch.setattr(docker_backend, "_STOP_SECONDS", 1.0)
        container = Container("m", "/m")
        stopper = threading.Thread(target=self._interrupt, args=(found,))
        stopper.start()
        begin = time.monotonic()
        docker_backend.serve(container)
        stopper.join()
        assert found.calls()[-1] == ["rm", "--force", container.name]
        assert time.monotonic() - begin < 20

    @staticmethod
    def _interrupt(found: fake_docker.Docker) -> None:
        wait_for(lambda: ["started"] in found.calls())
        time.sleep(0.5)  # the container's Python ignores the signal only once it runs
        os.kill(os.getpid(), 2)

    @pytest.mark.parametrize(
        ("mode", "message"),
        [
            ("fails", "docker could not start the server; what it said is above"),
            ("ends", "the server ended by itself with status 3; its log is above"),
        ],
    )
    def test_an_end_that_nobody_asked_for_is_an_error(self, docker, mode, message):
        docker(mode)
        with pytest.raises(DockerError, match=message):
            docker_backend.serve(Container("m", "/m"))
