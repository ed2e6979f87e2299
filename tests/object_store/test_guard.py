"""The guard sees what it is for, or tests that rely on it prove nothing."""

from __future__ import annotations

import contextlib
import glob
import os
import pathlib
import shutil
from collections.abc import Callable

import numpy as np
import pytest

from tests.object_store.guard import LocalAccessError, no_local_urls

URL = "gs://bucket/file"


@pytest.mark.parametrize(
    "use",
    [
        lambda: open(URL),  # noqa: SIM115
        lambda: os.makedirs(URL),
        lambda: os.path.exists(URL),
        lambda: os.listdir(URL),
        lambda: os.replace("here", URL),
        lambda: pathlib.Path(URL).read_bytes(),
        lambda: pathlib.Path(URL).mkdir(parents=True),
        lambda: shutil.rmtree(URL),
        lambda: glob.glob(f"{URL}*"),
        lambda: np.load(URL),
    ],
)
def test_a_url_is_no_local_path(
    use: Callable[[], object], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LocalAccessError, match="gs:/+bucket"), no_local_urls():
        use()
    assert not list(tmp_path.iterdir())


def test_an_error_that_somebody_swallows_is_raised_at_the_end() -> None:
    with (
        pytest.raises(LocalAccessError, match=URL),
        no_local_urls(),
        contextlib.suppress(Exception),
    ):
        open(URL)  # noqa: SIM115


def test_local_paths_are_let_through(tmp_path: pathlib.Path) -> None:
    with no_local_urls():
        (tmp_path / "a:b").write_text("x")
        assert os.path.exists(tmp_path / "a:b")
    assert not os.path.exists(URL)
