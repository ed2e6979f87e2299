"""Builds an image's stages as folders, without docker: from debootstrap, with RUN in a chroot.

    python -m tests.deploy.debian_root FOLDER [TARGET]     (as root; default target: steps)

What it performs is the Dockerfile, read by `dockerfile.py`. Two things differ from docker: the base
image is what debootstrap makes of the same Debian release, and other images cannot be had, so that
the target must not need one. Caches, layers and networks are docker's alone.
"""

from __future__ import annotations

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence

from tests.deploy.dockerfile import Copy, Stage, read

ROOT = pathlib.Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "deploy" / "image" / "Dockerfile"

# How package installers reach their index from here; handed on to RUN as they are.
_NETWORK = re.compile(r"(PIP_(EXTRA_)?INDEX_URL|UV_\w*INDEX\w*|\w+_proxy|\w+_PROXY)$")
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
_HOST_CERTIFICATES = "/run/host-certificates.crt"
_TRUST = ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


def build(folder: pathlib.Path, target: str, dockerfile: pathlib.Path = DOCKERFILE) -> Stage:
    """Builds a stage, and those that it needs, as `folder/NAME`; what is there already is taken.

    Raises:
        subprocess.CalledProcessError: A step has failed.
        ValueError: The stage needs an image that only docker can get.
    """
    stages = read(dockerfile)
    folder.mkdir(parents=True, exist_ok=True)
    for name in _needed(stages, target):
        if (folder / name).exists():
            continue
        partial = folder / f"{name}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        base = stages[name].base
        if base in stages:
            _copy(folder / base, partial)
        else:
            _debootstrap(base, partial)
        for keyword, what, place, variables in stages[name].steps:
            if isinstance(what, Copy):
                _perform_copy(what, folder, partial, place)
            else:
                _say(f"{name}: {keyword} {what[:100]}")
                (partial / place.lstrip("/")).mkdir(parents=True, exist_ok=True)
                _run_step(partial, what, place, variables)
        (partial / stages[name].folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
        partial.rename(folder / name)
    return stages[target]


def inside(
    root: pathlib.Path,
    words: Sequence[str],
    *,
    user: str,
    folder: str,
    environment: Mapping[str, str],
    mounts: Sequence[str] = (),
) -> list[str]:
    """Returns the command that runs words in a root; its mounts vanish with it.

    Args:
        root: A built stage.
        words: Program and arguments.
        user: As USER has it.
        folder: To start in.
        environment: All variables that the program gets.
        mounts: Folders of this machine, the same paths inside.
    """
    at = shlex.quote(str(root))
    lines = ["set -e", f"mount -t proc proc {at}/proc", f"mount --rbind /dev {at}/dev"]
    for mount in mounts:
        quoted = shlex.quote(mount)
        make = f"mkdir -p {at}{quoted}" if os.path.isdir(mount) else f"touch {at}{quoted}"
        lines += [make, f"mount --bind {quoted} {at}{quoted}"]
    variables = [f"{key}={value}" for key, value in environment.items()]
    # env changes the folder: chroot with a user would still be in /.
    program = ["env", "-i", "-C", folder, *variables, *words]
    ids = f"--userspec={user}" if ":" in user else "--userspec=0:0"
    lines.append(shlex.join(["exec", "chroot", ids, str(root), *program]))
    return ["unshare", "--mount", "sh", "-c", "\n".join(lines)]


def _needed(stages: Mapping[str, Stage], name: str) -> list[str]:
    if name not in stages:
        raise ValueError(f"{name} is an image or no stage: only docker can get it")
    others = [what.stage for _, what, _, _ in stages[name].steps if isinstance(what, Copy)]
    base = [stages[name].base] if stages[name].base in stages else []
    order: list[str] = []
    for other in [*base, *(other for other in others if other)]:
        order += [found for found in _needed(stages, other) if found not in order]
    return [*order, name]


def _debootstrap(image: str, target: pathlib.Path) -> None:
    match = re.fullmatch(r"debian:(\w+)-slim", image)
    if match is None:
        raise ValueError(f"{image}: only docker can get it")
    _say(f"debootstrap {match[1]}")
    subprocess.run(
        ["debootstrap", "--variant=minbase", match[1], str(target)],
        check=True,
        stdout=subprocess.DEVNULL,
    )


def _run_step(root: pathlib.Path, command: str, folder: str, variables: dict[str, str]) -> None:
    environment = {key: value for key, value in os.environ.items() if _NETWORK.match(key)}
    environment |= {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    environment |= {"HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"} | variables
    # Debian's own bundle comes with a package, and knows no certificates of this place.
    certificates = root / _HOST_CERTIFICATES.lstrip("/")
    if os.path.exists(_CERTIFICATES):
        shutil.copy(_CERTIFICATES, certificates)
        environment |= dict.fromkeys(_TRUST, _HOST_CERTIFICATES)
    words = ["/bin/sh", "-c", command]
    run = inside(root, words, user="root", folder=folder, environment=environment)
    shutil.copy("/etc/resolv.conf", root / "etc" / "resolv.conf")
    subprocess.run(run, check=True)
    certificates.unlink(missing_ok=True)


def _perform_copy(copy: Copy, stages: pathlib.Path, root: pathlib.Path, folder: str) -> None:
    target = root / str(pathlib.PurePosixPath(folder, copy.target)).lstrip("/")
    for source in copy.sources:
        place = stages / copy.stage / source.lstrip("/") if copy.stage else ROOT / source
        if place.is_dir():
            for path in _files(place) if copy.stage is None else [place]:
                relative = path.relative_to(place)
                _copy(path, target / relative)
        else:
            end = target / place.name if copy.target.endswith("/") else target
            _copy(place, end)


def _files(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """What of the context's folder is sent to the build."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def _copy(source: pathlib.Path, target: pathlib.Path) -> None:
    """Copies a file, or a folder's content into a folder, with links and modes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-a", "--reflink=auto", f"{source}/.", str(target)], check=True)
    else:
        shutil.copy2(source, target.parent if target.name == "." else target)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    build(pathlib.Path(sys.argv[1]).resolve(), sys.argv[2] if len(sys.argv) > 2 else "steps")
