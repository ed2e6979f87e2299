"""`flowersim eval` on files: what is printed, what is written, what is refused."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np
import pytest

from pipeline.cli import main

ROWS = np.array([[1, 0, 0], [1, 0.1, 0], [0, 1, 0], [0.1, 1, 0], [0, 0, 1]], np.float32)
LABELS = np.array(["[b]rose", "[b]rose", "lily", "lily", "iris"])


def _file(folder: pathlib.Path, name: str = "e.npz", **arrays: Any) -> pathlib.Path:
    np.savez(folder / name, **{"embeddings": ROWS, "labels": LABELS, **arrays})
    return folder / name


def test_table_and_json(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = np.array([f"{name}.jpg" for name in "abcde"])
    result = tmp_path / "result.json"
    path = _file(tmp_path, ids=names)
    assert main(["eval", str(path), "--k", "1", "2", "--json", str(result)]) == 0
    printed = capsys.readouterr().out
    assert "5 queries, 5 images searched; 1 queries have no image of their class" in printed
    assert "recall_at_2" in printed and "2-NN accuracy" in printed
    # Square brackets are no markup.
    assert "[b]rose" in printed and "a.jpg" in printed
    written = json.loads(result.read_text("utf-8"))
    assert written["means"]["recall_at_1"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    assert written["without_relevant"] == 1
    assert written["hardest"][0]["first_relevant_rank"] == 1


def test_a_gallery_and_rows_without_ids(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    queries = _file(tmp_path, ids=np.array(list("vwxyz")))
    gallery = _file(tmp_path, "gallery.npz", embeddings=ROWS[:3], labels=LABELS[:3])
    assert main(["eval", str(queries), "--gallery", str(gallery)]) == 0
    assert "5 queries, 3 images searched" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"embeddings": ROWS[0]}, "embeddings must be a matrix, got (3,)"),
        ({"labels": LABELS[:2]}, "labels must have shape (5,), got (2,)"),
        ({"labels": np.arange(5.0)}, "labels must be integers or strings"),
        ({"embeddings": ROWS * np.nan}, "row 0 holds NaN or infinity"),
        ({"ids": np.array(["a", "b", "b", "c", "d"])}, "the id b occurs more than once"),
    ],
)
def test_bad_arrays_are_named(
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    arrays: dict[str, Any],
    message: str,
) -> None:
    path = _file(tmp_path, **arrays)
    assert main(["eval", str(path)]) == 1
    error = capsys.readouterr().err
    assert str(path) in error and message in error and "Traceback" not in error


def test_files_that_are_none_are_named(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text, single, empty = tmp_path / "t.npz", tmp_path / "s.npy", tmp_path / "n.npz"
    text.write_text("hello", "utf-8")
    np.save(single, ROWS)
    np.savez(empty, other=ROWS)
    for path, reason in (
        (text, "is no .npz archive"),
        (single, "is a single array"),
        (empty, "holds no array embeddings, but other"),
        (tmp_path / "none.npz", "is not there"),
    ):
        assert main(["eval", str(path)]) == 1
        error = capsys.readouterr().err
        assert error.startswith(f"flowersim: {path} {reason}") and error.count("\n") == 1
