"""The same files on a disk and behind a URL: TensorFlow's in-memory file system."""

from __future__ import annotations

import errno
import pathlib
from collections.abc import Iterator

import pytest

from tests.object_store.guard import no_local_urls
from tests.object_store.memory import memory_bucket
from trainer_module import storage


@pytest.fixture(params=["disk", "url"])
def folder(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[str]:
    if request.param == "disk":
        yield str(tmp_path / "new")
    else:
        with memory_bucket() as url:
            yield f"{url}/new"


def test_a_file_is_read_as_it_was_written(folder: str) -> None:
    with no_local_urls():
        for content in (b"one\0\xff", b"", b"a longer one"):
            storage.write(f"{folder}/below/file", content)
            assert storage.read(f"{folder}/below/file") == content
        assert storage.exists(f"{folder}/below/file")
        assert storage.file_names(f"{folder}/below") == ["file"]


def test_what_is_not_there(folder: str) -> None:
    with no_local_urls():
        assert not storage.exists(f"{folder}/file")
        assert storage.file_names(folder) == []
        for use in (storage.read, storage.remove):
            with pytest.raises(FileNotFoundError) as caught:
                use(f"{folder}/file")
            assert caught.value.errno == errno.ENOENT
            assert caught.value.strerror == "No such file or directory"
            assert caught.value.filename == f"{folder}/file"


def test_a_removed_file_is_gone(folder: str) -> None:
    for name in ("a", "b"):
        storage.write(f"{folder}/{name}", b"x")
    storage.remove(f"{folder}/a")
    assert storage.file_names(folder) == ["b"]


def test_a_write_that_dies_leaves_the_file_as_it_was(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    storage.write(path, b"whole")

    def half(self: pathlib.Path, content: bytes) -> int:
        with open(self, "wb") as file:
            file.write(content[:2])
        raise KeyboardInterrupt

    monkeypatch.setattr(pathlib.Path, "write_bytes", half)
    with pytest.raises(KeyboardInterrupt):
        storage.write(path, b"another")
    assert path.read_bytes() == b"whole"
