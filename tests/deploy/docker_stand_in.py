"""Stands in for docker where there is none: `docker run` runs a program in a folder that is a root.

It knows what `flowersim execute --docker` says. Unlike docker it ignores `--user`: the program runs
as the image's own user, as on Vertex AI, and the mounted folders are given to that user.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import stat
import subprocess
import sys

from tests.deploy.debian_root import ROOT, inside
from tests.deploy.dockerfile import Stage

_NAME = "FLOWERSIM_TEST_ROOT"


def install(folder: pathlib.Path, root: pathlib.Path, stage: Stage) -> dict[str, str]:
    """Writes a program `docker` to the folder.

    Returns:
        Variables that put it on the PATH, and say what its only image is.
    """
    program = folder / "docker"
    program.write_text(
        f'#!/bin/sh\ncd {ROOT}\nexec {sys.executable} -m tests.deploy.docker_stand_in "$@"\n'
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    variables = "\n".join(f"{key}={value}" for key, value in stage.environment.items())
    image = "\0".join([str(root), stage.user, stage.folder, variables])
    return {"PATH": f"{folder}:{os.environ['PATH']}", _NAME: image.replace("\0", "|")}


def main(words: list[str]) -> None:
    """Performs one command of docker."""
    if words[0] == "version":
        print("stand-in")
        return
    if words[0] == "rm":
        return
    if words[0] != "run":
        raise SystemExit(f"docker {words[0]} is not known here")
    parser = argparse.ArgumentParser()
    parser.add_argument("--rm", action="store_true")
    parser.add_argument("--init", action="store_true")
    parser.add_argument("--name")
    parser.add_argument("--user")
    parser.add_argument("--mount", action="append", default=[])
    parser.add_argument("--env", action="append", default=[])
    parser.add_argument("--entrypoint")
    parser.add_argument("image")
    parser.add_argument("words", nargs=argparse.REMAINDER)
    options = parser.parse_args(words[1:])
    root, user, folder, variables = os.environ[_NAME].split("|")
    mounts = []
    for mount in options.mount:
        fields = dict(field.split("=", 1) for field in mount.split(","))
        assert fields["type"] == "bind" and fields["source"] == fields["target"], mount
        mounts.append(fields["target"])
        subprocess.run(["chown", "-R", user, fields["target"]], check=True)
    given = [*variables.splitlines(), *options.env]
    environment = dict(pair.split("=", 1) for pair in given)
    program = [options.entrypoint, *options.words]
    command = inside(
        pathlib.Path(root),
        program,
        user=user,
        folder=folder,
        environment=environment,
        mounts=mounts,
    )
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
