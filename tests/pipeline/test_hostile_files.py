"""Embeddings in files that others made: none runs code, and what is wrong is the one error.

What they must hold is in `test_eval_command.py`.
"""

from __future__ import annotations

import io
import os
import pathlib
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.embedding_file import EmbeddingFileError, read_embeddings


def member(shape: str, descr: str = "'<f8'", content: bytes = b"") -> bytes:
    """An array as NumPy writes it, of any words in its head."""
    head = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".encode()
    head = head.ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + content


def archive(path: pathlib.Path, members: dict[str, bytes]) -> pathlib.Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


class _Command:
    def __init__(self, trace: pathlib.Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.trace),)


def test_no_pickle_is_read(tmp_path: pathlib.Path):
    trace = tmp_path / "was here"
    pickled = pickle.dumps(np.array([_Command(trace)], object))
    good = member("(1,)", content=bytes(8))
    for name in ("embeddings", "labels", "ids"):
        members = dict.fromkeys(("embeddings.npy", "labels.npy", "ids.npy"), good)
        members[f"{name}.npy"] = member("(1,)", "'|O'", pickled)
        with pytest.raises(EmbeddingFileError):
            read_embeddings(archive(tmp_path / "e.npz", members))
    (tmp_path / "e.npz").write_bytes(pickled)
    with pytest.raises(EmbeddingFileError, match="is no .npz archive"):
        read_embeddings(tmp_path / "e.npz")
    assert not trace.exists()


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"embeddings.npy": member("(10**12, 4)")}, "is no .npz archive"),
        ({"embeddings.npy": member("(1000000000000, 4)")}, "Unable to allocate|is no .npz"),
        ({"embeddings.npy": member("(2, 4)", content=bytes(8))}, "is no .npz archive"),
        ({"embeddings.npy": member("(-1, 4)")}, "is no .npz archive"),
        ({"embeddings.npy": member("(__import__('os'),)")}, "is no .npz archive"),
        ({"embeddings": b"text", "labels": b"text"}, "embeddings is no array"),
        ({"../../embeddings.npy": member("(0, 4)"), "/labels.npy": member("(0,)")}, "no array emb"),
    ],
)
def test_arrays_that_are_none(members: dict[str, bytes], message: str, tmp_path: pathlib.Path):
    path = archive(tmp_path / "e.npz", {"labels.npy": member("(0,)"), **members})
    with pytest.raises(EmbeddingFileError, match=message):
        read_embeddings(path)
    assert [*tmp_path.iterdir()] == [path]


def test_a_disk_that_fails_is_no_damage(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object, **__: object) -> None:
        raise OSError(5, "Input/output error")

    path = archive(tmp_path / "e.npz", {})
    monkeypatch.setattr(np, "load", fail)
    with pytest.raises(EmbeddingFileError, match=f"{path} cannot be read: Input/output error"):
        read_embeddings(path)


def test_what_nobody_asked_for_is_not_unpacked(tmp_path: pathlib.Path):
    huge = member("(1000000000000, 1000)")
    path = archive(
        tmp_path / "e.npz",
        {
            "embeddings.npy": member("(1, 2)", content=bytes(16)),
            "labels.npy": member("(1,)", "'<i8'", bytes(8)),
            "other.npy": huge,
        },
    )
    assert read_embeddings(path).vectors.tolist() == [[0.0, 0.0]]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(
        st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=4
    ),
    cut=st.floats(0.2, 1),
)
def test_a_damaged_archive_is_read_or_the_one_error(
    changes: list[tuple[float, int]], cut: float, tmp_path: pathlib.Path
):
    file = io.BytesIO()
    np.savez_compressed(file, embeddings=np.eye(4), labels=np.arange(4))
    data = bytearray(file.getvalue())
    for place, value in changes:
        data[int(place * len(data))] = value
    path = tmp_path / "e.npz"
    path.write_bytes(data if cut > 0.9 else data[: int(cut * len(data))])
    try:
        assert len(read_embeddings(path).labels) < 100
    except EmbeddingFileError as error:
        assert str(path) in str(error)
