"""The embedded model server in a process of its own: started, waited for, measured, stopped.

Not for what it is asked (`rest_model.py`). The process gets what it needs to import this project
from its environment, so that it runs from a checkout, from an installed package, and in a container
that has the code on its PYTHONPATH.
"""

from __future__ import annotations

import os
import pathlib
import re
import socket
import subprocess
import sys
import time
from types import TracebackType

import httpx

from components.serving_check.config import CheckFailedError

_POLL_SECONDS = 0.1
_STATUS_SECONDS = 5.0
_STOP_SECONDS = 10.0
# Another program may take the port between the choice of it and the server's start.
_PORTS_TRIED = 3
_LOG_TAIL = 300


class ServerProcess:
    """A server of one model; a context manager, which starts and stops the process.

    Args:
        base_path: Folder of the version folder to serve, on this machine.
        model_name: Name in the URLs.
        log: File that the process's output is written to.
        request_timeout_seconds: When the server gives up a request.

    Attributes:
        url: Its address, `http://127.0.0.1:PORT`.
    """

    def __init__(
        self,
        base_path: str | os.PathLike[str],
        model_name: str,
        log: str | os.PathLike[str],
        *,
        request_timeout_seconds: float,
    ) -> None:
        self._base_path = os.path.abspath(base_path)
        self._model_name = model_name
        self._log = pathlib.Path(log)
        self._timeout_ms = round(request_timeout_seconds * 1000)
        self._process: subprocess.Popen[bytes] | None = None
        self._starts = 0
        self.url = ""

    def __enter__(self) -> ServerProcess:
        self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop()

    def wait_until_available(self, timeout_seconds: float) -> float:
        """Waits until the model answers.

        Args:
            timeout_seconds: How long.

        Returns:
            How long it took from here, in seconds.

        Raises:
            CheckFailedError: It cannot be loaded, or is not in time, or the server has ended.
        """
        started = time.monotonic()
        # No proxy from the environment is the way to this machine itself.
        with httpx.Client(timeout=_STATUS_SECONDS, trust_env=False) as http:
            while time.monotonic() - started < timeout_seconds:
                if (status := self.exit_status()) is not None:
                    if "cannot listen on" in self.log_tail() and self._starts < _PORTS_TRIED:
                        self._start()
                        continue
                    raise CheckFailedError(
                        f"the model server ended with status {status} before it had loaded the "
                        f"model: {self.log_tail()}"
                    )
                if self._is_available(http):
                    return time.monotonic() - started
                time.sleep(_POLL_SECONDS)
        raise CheckFailedError(
            f"the model was not loaded within {timeout_seconds:g} s "
            "(serving_check.load_timeout_seconds)"
        )

    def _is_available(self, http: httpx.Client) -> bool:
        """Asks the status API; raises CheckFailedError if loading has failed."""
        try:
            answer = http.get(f"{self.url}/v1/models/{self._model_name}")
        except httpx.TransportError:
            return False  # it does not listen yet
        if answer.status_code != httpx.codes.OK:
            return False  # no version is known yet
        for version in answer.json()["model_version_status"]:
            if version["state"] == "AVAILABLE":
                return True
            if version["state"] == "END":
                raise CheckFailedError(
                    f"the server cannot load the model: {_line(version['status']['error_message'])}"
                )
        return False

    def exit_status(self, wait_seconds: float = 0.0) -> int | None:
        """The process's exit status, negative after a signal; None if it still runs after a wait.

        Connections of a process that dies are closed before it can be seen to have ended.
        """
        assert self._process is not None
        try:
            return self._process.wait(wait_seconds)
        except subprocess.TimeoutExpired:
            return None

    def log_tail(self) -> str:
        """The end of what the process has written, in one line."""
        return _line(self._log.read_text("utf-8", errors="replace"))[-_LOG_TAIL:]

    def peak_memory_mb(self) -> float | None:
        """The most memory the process has used so far, in 10⁶ bytes.

        Resident memory: its own and what it has mapped of libraries. None where the kernel does not
        tell (Linux does).
        """
        assert self._process is not None
        try:
            text = pathlib.Path(f"/proc/{self._process.pid}/status").read_text("ascii")
        except (OSError, UnicodeDecodeError):
            return None
        # In units of 1024 bytes, whatever it says.
        peak = re.search(r"^VmHWM:\s+(\d+) kB$", text, re.MULTILINE)
        return int(peak[1]) * 1024 / 1e6 if peak else None

    def _start(self) -> None:
        self._stop()
        port = _free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._starts += 1
        flags = {
            "model_base_path": self._base_path,
            "model_name": self._model_name,
            "rest_api_port": port,
            # REST is what is checked, and the default port may be taken.
            "port": 0,
            "rest_api_timeout_in_ms": self._timeout_ms,
            # It is there or it never will be, and what fails once fails again.
            "file_system_poll_wait_seconds": 0,
            "max_num_load_retries": 0,
        }
        command = [sys.executable, "-m", "components.serving_check.guarded_server"]
        with open(self._log, "wb") as output:
            self._process = subprocess.Popen(
                [*command, *(f"--{name}={value}" for name, value in flags.items())],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                # `python -m` imports from the folder it is started in: one without modules.
                cwd=self._base_path,
                env=_environment(),
                # Ctrl-C in the terminal is for the run, which then stops the server.
                start_new_session=True,
            )

    def _stop(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        finally:
            if self._process.stdin is not None:
                self._process.stdin.close()


def _environment() -> dict[str, str]:
    root = str(pathlib.Path(__file__).resolve().parents[2])
    inherited = os.environ.get("PYTHONPATH", "")
    # Absolute, since the process starts in another folder.
    paths = [os.path.abspath(path) for path in inherited.split(os.pathsep) if path]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([root, *(path for path in paths if path != root)]),
        # GPUs are taken by the process that runs the pipeline, whose TensorFlow reserves them.
        "CUDA_VISIBLE_DEVICES": "-1",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _line(text: str) -> str:
    return " ".join(text.split())
