"""Versions that are text files, and their loader: what the tests of versions and models share.

No TensorFlow: what is tried is which versions are loaded when, not what they are.
"""

from __future__ import annotations

import dataclasses
import pathlib
import threading
import time
from collections.abc import Callable

from serving.errors import Code, ServingError
from serving.versions import ModelVersions


@dataclasses.dataclass
class Loaded:
    """What the loader makes of a version."""

    version: int
    content: str


class Loader:
    """Loads the text of `saved_model.pb`; fails while that says "broken", waits while "slow"."""

    def __init__(self) -> None:
        self.loads: list[int] = []
        self.go_on = threading.Event()

    def __call__(self, name: str, version: int, folder: str) -> Loaded:
        content = pathlib.Path(folder, "saved_model.pb").read_text()
        self.loads.append(version)
        if content == "broken":
            raise ServingError(Code.DATA_LOSS, f"version {version} is broken")
        if content == "odd":
            raise RuntimeError("odd")
        if content == "slow":
            assert self.go_on.wait(10)
        return Loaded(version, content)


def write(base: pathlib.Path, version: int | str, content: str = "fine") -> None:
    """Puts a version into a base path."""
    (base / str(version)).mkdir(exist_ok=True, parents=True)
    (base / str(version) / "saved_model.pb").write_text(content)


def delete(base: pathlib.Path, version: int) -> None:
    """Takes it away."""
    (base / str(version) / "saved_model.pb").unlink()
    (base / str(version)).rmdir()


def eventually(condition: Callable[..., object], seconds: float = 10) -> None:
    """Waits until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


def served(versions: ModelVersions) -> int | None:
    """The version that answers requests which name none."""
    try:
        return versions.get().version
    except ServingError:
        return None


def states(versions: ModelVersions) -> list[tuple[int, str]]:
    """Versions and their states, newest first."""
    return [(status.version, status.state.value) for status in versions.statuses()]
