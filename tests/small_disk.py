"""Disks of a few megabytes, really mounted: full ones, and ones that cannot be written to."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
from collections.abc import Iterator

import pytest


@contextlib.contextmanager
def small_disk(folder: pathlib.Path, size: str, *more: str) -> Iterator[pathlib.Path]:
    """Mounts a disk in memory on a new folder; the test is skipped where that is not allowed.

    Args:
        folder: Where; it must not exist.
        size: As mount's option `size`, such as 4m.
        more: More of mount's options.
    """
    folder.mkdir()
    options = ",".join((f"size={size}", *more))
    try:
        mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        result = subprocess.run(mount, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("needs the program mount")
    if result.returncode:
        pytest.skip(f"needs to mount a disk of its own, as root may: {result.stderr.strip()}")
    try:
        yield folder
    finally:
        # Lazily: a process that has a file open does not keep the folder from being removed.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def remount(folder: pathlib.Path, *options: str) -> None:
    """Changes a mounted disk's options."""
    subprocess.run(["mount", "-o", ",".join(("remount", *options)), str(folder)], check=True)


def free_bytes(folder: pathlib.Path) -> int:
    """What can still be written to a disk."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize


def fill(folder: pathlib.Path, leave: int) -> pathlib.Path:
    """Fills a disk with one file until `leave` bytes are free; returns the file."""
    path = folder / "filling"
    with open(path, "wb") as file:
        while (rest := free_bytes(folder) - leave) > 0:
            file.write(bytes(min(rest, 2**20)))
            file.flush()
    return path
