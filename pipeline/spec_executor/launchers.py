"""How a container's command becomes a process here: as it is, in a fork, or by docker.

Each launcher only says what to run; `processes.py` runs it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from pipeline.spec_executor.errors import LaunchError, TaskError

_PYTHON = re.compile(r"python3?(\.\d+)?")
_INSTALLS = re.compile(r"\bpip3?\s+install\b")
_DOCKER_TIMEOUT_SECONDS = 20


@dataclasses.dataclass(frozen=True)
class Command:
    """What is to be run.

    Attributes:
        argv: The program and its arguments; with `fork`, a module and its arguments.
        environment: Variables beside those of all tasks.
        fork: Whether it is a module to be run in a fork.
        abort: What ends it if it was killed, for what goes on outside its process.
    """

    argv: Sequence[str]
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    fork: bool = False
    abort: Callable[[], None] | None = None


class Launcher(Protocol):
    """A way to run the commands of containers."""

    def check(self) -> None:
        """Raises LaunchError if nothing can be run in this way."""

    def command(
        self, name: str, image: str, words: Sequence[str], environment: Mapping[str, str]
    ) -> Command:
        """Says what to run.

        Args:
            name: Unique to the execution.
            image: The container's image.
            words: Its command and arguments, placeholders replaced.
            environment: Its variables.

        Raises:
            TaskError: This one cannot be run in this way.
        """


class ExactLauncher:
    """Runs the command as it was compiled, in a process of its own; the image is not used."""

    def check(self) -> None:
        """Always possible."""

    def command(
        self, name: str, image: str, words: Sequence[str], environment: Mapping[str, str]
    ) -> Command:
        """The same command, its Python being this one."""
        if not words:
            raise TaskError(f"the container has no command; what {image} runs needs --docker")
        if any(_INSTALLS.search(word) for word in words):
            raise TaskError(
                "the command installs packages with pip, which would change this environment: "
                "compile KFP components with install_kfp_package=False and without "
                "packages_to_install, or use --docker"
            )
        program, *arguments = words
        if _PYTHON.fullmatch(program):
            program = sys.executable
        return Command([program, *arguments], environment)


class FastLauncher(ExactLauncher):
    """Runs `python -m MODULE` in a fork that has the preloaded modules, all else as it was."""

    def command(
        self, name: str, image: str, words: Sequence[str], environment: Mapping[str, str]
    ) -> Command:
        """A fork where that makes no difference: libraries read some variables on import."""
        command = super().command(name, image, words, environment)
        program, *arguments = command.argv
        if program == sys.executable and arguments[:1] == ["-m"] and not environment:
            return Command(arguments[1:], fork=True)
        return command


class DockerLauncher:
    """Runs the command in its image, with folders mounted where they are here."""

    def __init__(self, mounts: Sequence[str | os.PathLike[str]]) -> None:
        """Mounts folders.

        Args:
            mounts: The store, a local pipeline root, and what else tasks read or write.
        """
        self._mounts = sorted({os.path.abspath(mount) for mount in mounts})

    def check(self) -> None:
        """Asks the daemon."""
        try:
            answer = subprocess.run(
                ["docker", "version", "--format", "{{.Server.Version}}"],
                capture_output=True,
                text=True,
                timeout=_DOCKER_TIMEOUT_SECONDS,
            )
        except FileNotFoundError:
            raise LaunchError("--docker needs the program docker, which is not here") from None
        except subprocess.TimeoutExpired:
            raise LaunchError(
                f"docker's daemon has not answered for {_DOCKER_TIMEOUT_SECONDS} s"
            ) from None
        if answer.returncode:
            raise LaunchError(f"docker's daemon does not answer: {answer.stderr.strip()}")
        for mount in self._mounts:
            if "," in mount:
                raise LaunchError(f"docker cannot mount {mount}: its name has a comma")
            if not pathlib.Path(mount).exists():
                raise LaunchError(f"{mount} is to be mounted and is not there")

    def command(
        self, name: str, image: str, words: Sequence[str], environment: Mapping[str, str]
    ) -> Command:
        """`docker run`."""
        if not image:
            raise TaskError("the container has no image")
        if image.startswith("-"):
            raise TaskError(f"{image!r} is no image: docker would take it for an option")
        variables = {"HOME": "/tmp", **environment}
        # A container's command takes the place of the image's entry point.
        entry = ["--entrypoint", words[0]] if words else []
        argv = [
            *("docker", "run", "--rm", "--init", "--name", name),
            # Files in the mounted folders are to be the user's.
            *("--user", f"{os.getuid()}:{os.getgid()}"),
            *(f"--mount=type=bind,source={mount},target={mount}" for mount in self._mounts),
            *(f"--env={key}={value}" for key, value in variables.items()),
            *(*entry, image, *words[1:]),
        ]

        def abort() -> None:
            # The container does not end with docker's own process if that was ended by force.
            with contextlib.suppress(subprocess.TimeoutExpired):
                subprocess.run(
                    ["docker", "rm", "--force", name],
                    capture_output=True,
                    timeout=_DOCKER_TIMEOUT_SECONDS,
                )

        return Command(argv, abort=abort)
