"""Stock TensorFlow Serving in a docker container, for a folder of model versions on this machine.

Looks whether docker can be used, and runs one container in the foreground until a signal to stop.
Knows model folders and the program `docker`, nothing of TensorFlow; containers that are to stay are
`deploy/compose.yaml`'s.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import ipaddress
import os
import pathlib
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from types import FrameType

# The TensorFlow Serving of the TensorFlow that models are made with. Changing it: an older one may
# lack ops of newer models. deploy/ names the same version.
IMAGE = "tensorflow/serving:2.16.1"
MONITORING_FILE = pathlib.Path(__file__).parent / "deploy" / "config" / "monitoring.config"

_REST, _GRPC = 8501, 8500  # inside the container
_CHECK_SECONDS = 5.0
_STOP_SECONDS = 10.0
# docker's own exit status, where it is not the container's.
_DOCKER_FAILED = 125


class DockerError(OSError):
    """Docker cannot be used, or did not do what it was asked; the message says why."""


@dataclasses.dataclass(frozen=True)
class Container:
    """A server to run.

    Attributes:
        model_name: In URLs and requests.
        model_folder: Of its versions, on this machine; it is mounted read-only.
        host: Address to publish the ports at.
        rest_port: Of REST, on this machine.
        grpc_port: Of gRPC; 0 for none.
        image: Docker's name of it.
    """

    model_name: str
    model_folder: str
    host: str = "127.0.0.1"
    rest_port: int = _REST
    grpc_port: int = 0
    image: str = IMAGE

    @property
    def name(self) -> str:
        """The container's; by its port, which no other server has."""
        return f"flowersim-{self.model_name}-{self.rest_port}"

    @property
    def url(self) -> str:
        """Of REST."""
        return f"http://{_bracketed(self.host)}:{self.rest_port}"


def run_command(container: Container) -> list[str]:
    """The docker command that runs a server in the foreground and removes it at its end.

    The image's own entry point is a script that does not pass signals on, so it is not used; and
    since the server handles no signals, docker's init must be process 1, which else ignores them.

    Raises:
        OSError: The host is not known.
    """
    model = f"/models/{container.model_name}"
    ports = [(container.rest_port, _REST)]
    if container.grpc_port:
        ports.append((container.grpc_port, _GRPC))
    host = _bracketed(_address(container.host))
    return [
        *("docker", "run", "--rm", "--init", "--name", container.name),
        *(f"--publish={host}:{outside}:{inside}" for outside, inside in ports),
        _read_only_mount(container.model_folder, model),
        _read_only_mount(str(MONITORING_FILE), "/etc/flowersim/monitoring.config"),
        # Whoever may read the folder here may in there.
        f"--user={os.getuid()}:{os.getgid()}",
        *("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges"),
        *("--entrypoint=/usr/bin/tensorflow_model_server", container.image),
        f"--port={_GRPC}",  # it refuses to start without
        f"--rest_api_port={_REST}",
        f"--model_name={container.model_name}",
        f"--model_base_path={model}",
        "--monitoring_config_file=/etc/flowersim/monitoring.config",
    ]


def why_not(image: str | None = None, *, timeout_seconds: float = _CHECK_SECONDS) -> str:
    """Why docker cannot be used here, in a few words; empty if it can.

    Args:
        image: If given, it must be on this machine already.
        timeout_seconds: For everything that is asked of docker, together.
    """
    end = time.monotonic() + timeout_seconds

    def ask(*arguments: str) -> str | None:
        """What docker answers; None if it fails."""
        left = max(0.1, end - time.monotonic())
        result = subprocess.run(
            ["docker", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=left,
        )
        return result.stdout.strip() if result.returncode == 0 else None

    if shutil.which("docker") is None:
        return "there is no docker program"
    try:
        endpoint = ask("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
        if endpoint and not endpoint.startswith(("unix://", "npipe://")):
            return f"docker's daemon is at {endpoint}, which may not see this machine's files"
        # Only with a daemon is there a server's version; podman's docker has none either.
        if not ask("version", "--format", "{{.Server.Version}}"):
            return "docker's daemon does not answer"
        if image is not None and ask("image", "inspect", "--format", "{{.Id}}", image) is None:
            return f"docker has no image {image} yet"
    except subprocess.TimeoutExpired:
        return f"docker's daemon did not answer within {timeout_seconds:g} s"
    except OSError as error:
        return f"docker cannot be run: {error}"
    return ""


def with_free_ports(container: Container) -> Container:
    """The same with ports that can be listened on now; of REST any, where that was 0.

    Raises:
        OSError: if the address or a port cannot be listened on.
    """
    address = _address(container.host)
    rest_port = _free_port(address, container.rest_port)
    if container.grpc_port:
        _free_port(address, container.grpc_port)
    return dataclasses.replace(container, rest_port=rest_port)


def serve(container: Container) -> None:
    """Runs the container in this thread until it ends, or SIGINT or SIGTERM; then it is gone.

    Args:
        container: What `with_free_ports` has returned.

    Raises:
        DockerError: The container could not be started, or ended by itself.
    """
    with _noted_signals() as asked_to_stop:
        # In a session of its own, so that a terminal's Ctrl-C reaches docker once, and from here.
        docker = subprocess.Popen(
            run_command(container), stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            while docker.poll() is None and not asked_to_stop:
                time.sleep(0.1)
        finally:
            if docker.poll() is None:
                _stop(docker, container.name)
    status = docker.returncode
    if asked_to_stop:
        return
    if status == _DOCKER_FAILED:
        raise DockerError("docker could not start the server; what it said is above")
    raise DockerError(f"the server ended by itself with status {status}; its log is above")


def shell_command(container: Container) -> str:
    """The docker command as a line for a shell."""
    return shlex.join(run_command(container))


def _stop(docker: subprocess.Popen[bytes], name: str) -> None:
    """Has docker pass SIGTERM on to the server, and removes the container if that does not end it.

    While the image is downloaded there is no container yet, and the signal ends docker itself.
    """
    docker.terminate()
    try:
        docker.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        docker.kill()
        docker.wait()
    # It is gone already, unless docker died before the server. That it is not there is no error.
    with contextlib.suppress(subprocess.TimeoutExpired, OSError):
        subprocess.run(
            ["docker", "rm", "--force", name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_STOP_SECONDS,
        )


@contextlib.contextmanager
def _noted_signals() -> Iterator[list[int]]:
    """The SIGINTs and SIGTERMs that have come; they do nothing else.

    A threading.Event would not do: its `set` waits for a lock that its `wait`, in the thread that
    the signal interrupts, may hold just then.
    """
    noted: list[int] = []

    def note(signum: int, frame: FrameType | None) -> None:
        noted.append(signum)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield noted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _read_only_mount(source: str, target: str) -> str:
    """Docker reads the option as a line of CSV, so a comma in a path needs quotes."""
    line = io.StringIO()
    fields = ["type=bind", f"source={source}", f"target={target}", "readonly"]
    csv.writer(line, lineterminator="").writerow(fields)
    return f"--mount={line.getvalue()}"


def _address(host: str) -> str:
    """The number of a host, which docker wants."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise OSError(f"cannot listen on {host}: {error.strerror or error}") from error
    return str(found[0][4][0])


def _bracketed(host: str) -> str:
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(host).version == 6:
            return f"[{host}]"
    return host


def _free_port(host: str, port: int) -> int:
    """The port, or any that is free for 0, if it can be listened on now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise OSError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
        return int(listener.getsockname()[1])
