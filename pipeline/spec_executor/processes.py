"""Runs the processes of tasks: the run's end of the socket that `spawner.py` listens to."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.spec_executor.errors import LaunchError

# How long tasks have to end by themselves when the run is stopped.
GRACE_SECONDS = 10.0


class Processes:
    """Starts processes and waits for them; any thread may ask for one."""

    def __init__(
        self, log: pathlib.Path, environment: Mapping[str, str], preload: Sequence[str] = ()
    ) -> None:
        """Starts nothing yet: the first process does.

        Args:
            log: Where what imports print goes.
            environment: Of all processes.
            preload: Modules to import before the first fork.
        """
        self._log = log
        self.environment = dict(environment)
        self._preload = list(preload)
        self._mutex = threading.Lock()
        self._sending = threading.Lock()
        self._spawner: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._ready: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._running: dict[int, concurrent.futures.Future[int]] = {}
        self._next = 0
        self._stopped = False

    def run(
        self,
        argv: Sequence[str],
        *,
        log: pathlib.Path,
        environment: Mapping[str, str] | None = None,
        fork: bool = False,
    ) -> int:
        """Runs one process to its end.

        Args:
            argv: The program and its arguments; with `fork`, a module and its arguments.
            log: File that standard output and error are appended to.
            environment: Further variables; not with `fork`.
            fork: Run a module in a fork that has the preloaded modules.

        Returns:
            The exit status; negative for a signal.

        Raises:
            LaunchError: Processes cannot be started.
        """
        self._start()
        self._ready.result()
        future: concurrent.futures.Future[int] = concurrent.futures.Future()
        with self._mutex:
            if self._stopped:
                return -signal.SIGTERM
            number = self._next = self._next + 1
            self._running[number] = future
        request = {
            "id": number,
            "argv": list(argv),
            "log": str(log),
            "environment": {**self.environment, **(environment or {})},
            "fork": fork,
        }
        self._send(request)
        return future.result()

    def stop(self) -> None:
        """Ends all processes, by force if need be; no further one is started."""
        with self._mutex:
            self._stopped = True
            running = list(self._running.values())
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._control is None or not running:
                return
            with contextlib.suppress(LaunchError):
                self._send({"signal": number})
            done, _ = concurrent.futures.wait(running, timeout=GRACE_SECONDS)
            running = [future for future in running if future not in done]

    def close(self) -> None:
        """Ends the process that starts the others."""
        if self._control is not None and self._spawner is not None:
            with contextlib.suppress(OSError):
                self._control.shutdown(socket.SHUT_RDWR)
            self._spawner.wait()
            self._control.close()

    def _start(self) -> None:
        with self._mutex:
            if self._spawner is not None:
                return
            self._control, theirs = socket.socketpair()
            package = __package__ or ""
            root = pathlib.Path(__file__).resolve().parents[len(package.split("."))]
            path = [str(root), *filter(None, [self.environment.get("PYTHONPATH")])]
            with open(self._log, "ab") as log:
                self._spawner = subprocess.Popen(
                    [
                        sys.executable,
                        "-m",
                        f"{package}.spawner",
                        str(theirs.fileno()),
                        *self._preload,
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**self.environment, "PYTHONPATH": os.pathsep.join(path)},
                    pass_fds=[theirs.fileno()],
                    # Ctrl-C goes to all of the terminal's group; tasks are ended in order instead.
                    start_new_session=True,
                )
            theirs.close()
            threading.Thread(target=self._listen, daemon=True, name="spawner").start()

    def _send(self, request: Mapping[str, Any]) -> None:
        assert self._control is not None
        try:
            with self._sending:
                self._control.sendall(json.dumps(request).encode() + b"\n")
        except OSError:
            raise LaunchError(self._gone()) from None

    def _gone(self) -> str:
        return f"the process that starts tasks has ended; its log is {self._log}"

    def _listen(self) -> None:
        assert self._control is not None
        with self._control.makefile("rb") as lines, contextlib.suppress(OSError):
            for line in lines:
                self._hear(json.loads(line))
        error = LaunchError(self._gone())
        if not self._ready.done():
            self._ready.set_exception(error)
        with self._mutex:
            for future in self._running.values():
                future.set_exception(error)
            self._running.clear()

    def _hear(self, message: Mapping[str, Any]) -> None:
        if "ready" in message:
            if message["ready"]:
                self._ready.set_result(None)
            else:
                problem = f"tasks cannot be forked (--mode fast): {message['error']}; "
                self._ready.set_exception(
                    LaunchError(f"{problem}--mode exact does not fork; the log is {self._log}")
                )
            return
        with self._mutex:
            future = self._running.pop(message["id"])
        if "error" in message:
            future.set_exception(LaunchError(message["error"]))
        else:
            future.set_result(message["status"])
