#!/usr/bin/env python3
"""A program `docker` without a daemon's work: what it is asked is recorded, and answered as told.

`docker run` behaves as the real one does in the foreground with --rm --init: the "container" runs
until the client gets SIGTERM or SIGINT, which it passes on, and then the client ends with the
container's status. In mode "serve" that is the embedded server, on what the command mounts and
publishes.

The modes are in `install`; this file is also what is installed.
"""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

DAEMON = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."


def install(folder: pathlib.Path, mode: str) -> Docker:
    """Puts `docker` into a folder of its own.

    Args:
        folder: Of the test.
        mode: "no-daemon"; "hangs" (a daemon that never answers); "remote"; "no-image"; "serve";
            "waits" (a container that does nothing); "stubborn" (one that SIGTERM does not end);
            "fails" (docker cannot start it); "ends" (it ends by itself, with status 3).
    """
    programs = folder / "docker-bin"
    programs.mkdir()
    program = programs / "docker"
    here = pathlib.Path(__file__).resolve()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{here}" "$@"\n')
    program.chmod(0o755)
    return Docker(programs, folder / "docker.log", mode)


class Docker:
    """The installed program."""

    def __init__(self, programs: pathlib.Path, log: pathlib.Path, mode: str) -> None:
        self.path = f"{programs}:/usr/bin:/bin"
        self.environment = {"PATH": self.path, "FAKE_MODE": mode, "FAKE_LOG": str(log)}
        self._log = log

    def calls(self) -> list[list[str]]:
        """What it was asked, and ["got", SIGNAL] for signals."""
        if not self._log.exists():
            return []
        return [json.loads(line) for line in self._log.read_text("utf-8").splitlines()]

    def run_call(self) -> list[str]:
        """The one `docker run`."""
        (call,) = (call for call in self.calls() if call[0] == "run")
        return call


def main(arguments: list[str]) -> int:
    """Answers as docker."""
    mode = os.environ["FAKE_MODE"]
    _record(arguments)
    match arguments[0]:
        case "context":
            print("tcp://10.1.2.3:2375" if mode == "remote" else "unix:///var/run/docker.sock")
            return 0
        case "version":
            if mode == "hangs":
                time.sleep(600)
            if mode == "no-daemon":
                print()
                print(DAEMON, file=sys.stderr)
                return 1
            print("28.2.2")
            return 0
        case "image":
            return 1 if mode == "no-image" else 0
        case "rm":
            print("Error response from daemon: No such container", file=sys.stderr)
            return 1
        case "run":
            return _run(mode, arguments)
    return 125


def _record(words: list[str]) -> None:
    with open(os.environ["FAKE_LOG"], "a", encoding="utf-8") as log:
        log.write(json.dumps(words) + "\n")


def _run(mode: str, arguments: list[str]) -> int:
    if mode == "fails":
        print("docker: Error response from daemon: no such thing.", file=sys.stderr)
        return 125
    if mode == "ends":
        return 3
    command = [sys.executable, "-c", "import signal; signal.pause()"]
    if mode == "stubborn":
        command[2] = "import signal; signal.signal(15, signal.SIG_IGN)\nwhile 1: signal.pause()"
    if mode == "serve":
        command = _server(arguments)
    container = subprocess.Popen(command, start_new_session=True)

    def pass_on(number: int, frame: object) -> None:
        _record(["got", signal.Signals(number).name])
        container.send_signal(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, pass_on)
    _record(["started"])
    status = container.wait()
    return status if status >= 0 else 128 - status


def _server(arguments: list[str]) -> list[str]:
    """The embedded server's command: inside becomes outside."""
    flags = arguments[next(i for i, a in enumerate(arguments) if a.startswith("--port=")) :]
    for argument in arguments:
        if argument.startswith("--publish="):
            host, outside, inside = argument.removeprefix("--publish=").rsplit(":", 2)
            flags = [f.replace(f"port={inside}", f"port={outside}") for f in flags]
            flags.append(f"--rest_api_host={host}")
        if argument.startswith("--mount="):
            parts = argument.removeprefix("--mount=").split(",")
            mount = dict(part.split("=") for part in parts if "=" in part)
            flags = [f.replace(f"={mount['target']}", f"={mount['source']}") for f in flags]
    # A port that is not published is nobody's outside.
    flags = ["--port=0" if f == "--port=8500" else f for f in flags]
    return [sys.executable, "-m", "serving.model_server", *flags]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
