"""`flowersim eval` on files: what is printed, what is written, what is refused."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
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
    command = ["eval", str(path), "--k", "1", "2", "--json", str(result)]
    assert main([*command, "--hardest", "2"]) == 0
    printed = capsys.readouterr().out
    assert "5 queries, 5 images searched; 1 queries have no image of their class" in printed
    assert "recall_at_2" in printed and "2-NN accuracy" in printed
    # Square brackets are no markup.
    assert "[b]rose" in printed and "a.jpg" in printed
    written = json.loads(result.read_text("utf-8"))
    assert written["means"]["recall_at_1"] == {"mean": 1.0, "low": 1.0, "high": 1.0}
    assert written["without_relevant"] == 1
    assert written["hardest"][0]["first_relevant_rank"] == 1
    assert len(written["hardest"]) == 2


def test_a_gallery_and_rows_without_ids(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    queries = _file(tmp_path)
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


def _records(path: pathlib.Path, rows: list[dict[str, Any]]) -> None:
    """Writes examples; floats, ints, and bytes are told apart by type."""
    import tensorflow as tf

    def feature(value: Any) -> Any:
        if isinstance(value, bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
        if isinstance(value, int):
            return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        return tf.train.Feature(float_list=tf.train.FloatList(value=value))

    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path), "GZIP" if path.suffix == ".gz" else "") as writer:
        for row in rows:
            features = {name: feature(value) for name, value in row.items()}
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())


def test_records_give_what_an_archive_gives(tmp_path: pathlib.Path) -> None:
    names = [f"{name}.jpg" for name in "abcde"]
    rows: list[dict[str, Any]] = [
        {"embedding": row.tolist(), "class_name": label.encode(), "id": name.encode(), "label": 7}
        for row, label, name in zip(ROWS, LABELS.tolist(), names, strict=True)
    ]
    _records(tmp_path / "index" / "Split-a" / "part-0.tfrecord.gz", rows[:2])
    _records(tmp_path / "index" / "Split-b" / "part-0.tfrecord", rows[2:])
    results = []
    for source in (_file(tmp_path, ids=np.array(names)), tmp_path / "index"):
        assert main(["eval", str(source), "--json", str(tmp_path / "found.json")]) == 0
        results.append(json.loads((tmp_path / "found.json").read_text("utf-8")))
    assert results[0] == results[1]


def test_labels_of_records_may_be_numbers(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"embedding": row.tolist(), "label": i // 2} for i, row in enumerate(ROWS)]
    _records(tmp_path / "e.tfrecord", rows)
    assert main(["eval", str(tmp_path / "e.tfrecord")]) == 0
    assert "5 queries, 5 images searched; 1 queries have no" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"label": 1}], "e.tfrecord, record 0 holds no embedding, but label"),
        ([{"embedding": [1.0]}], "record 0 holds no class_name or label, but embedding"),
        (
            [{"embedding": [1.0], "label": 1}, {"embedding": [1.0, 2.0], "label": 1}],
            "e.tfrecord holds embeddings of different lengths: [1, 2]",
        ),
        ([], "e.tfrecord holds no record"),
        ([{"embedding": b"x", "label": 1}], "record 0: embedding must be numbers"),
        ([{"embedding": [1.0], "class_name": b"\xff"}], "record 0: embedding must be numbers"),
        ([{"embedding": [1.0], "label": 1, "id": 7}], "id UTF-8 text"),
        (
            [{"embedding": [1.0], "label": 1}, {"embedding": [1.0], "label": b"1"}],
            "holds numbers and names as labels",
        ),
    ],
)
def test_bad_records_are_named(
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    rows: list[dict[str, Any]],
    message: str,
) -> None:
    _records(tmp_path / "e.tfrecord", rows)
    assert main(["eval", str(tmp_path / "e.tfrecord")]) == 1
    assert message in capsys.readouterr().err


def test_files_that_are_no_records_are_named(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "e.tfrecord.gz").write_bytes(b"no gzip at all")
    assert main(["eval", str(tmp_path / "e.tfrecord.gz")]) == 1
    assert "e.tfrecord.gz cannot be read as TFRecords" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["eval", str(tmp_path / "empty")]) == 1
    assert "empty holds no file named *.tfrecord, *.tfrecord.gz" in capsys.readouterr().err


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A model whose embedding is the mean color of a PNG, in the folder of its versions."""
    import tensorflow as tf

    class MeanColor(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
        def embed(self, image_bytes: Any) -> dict[str, Any]:
            def color(encoded: Any) -> Any:
                image = tf.io.decode_png(encoded, channels=3)
                return tf.reduce_mean(tf.cast(image, tf.float32), axis=[0, 1])

            return {"embedding": tf.map_fn(color, image_bytes, fn_output_signature=tf.float32)}

    model, folder = MeanColor(), tmp_path_factory.mktemp("serving")
    for version in ("3", "12"):
        tf.saved_model.save(model, str(folder / version), signatures={"embed": model.embed})
    (folder / "13").mkdir()  # being copied
    tf.saved_model.save(tf.Module(), str(folder / "other"))
    return folder


def _photos(root: pathlib.Path) -> pathlib.Path:
    from PIL import Image

    for number, (name, color) in enumerate(
        [("red", (255, 0, 0)), ("red", (250, 9, 0)), ("blue", (0, 0, 255)), ("blue", (0, 9, 250))]
    ):
        (root / name).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), color).save(root / name / f"{number}.png")
    return root


@pytest.mark.parametrize("version", ["", "3"])
def test_a_pushed_model_is_measured_on_photos(
    pushed: pathlib.Path,
    version: str,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    photos = _photos(tmp_path / "photos")
    (photos / "red" / "broken.png").write_bytes(b"not a picture")
    result = tmp_path / "found.json"
    command = ["eval", str(photos), "--model", str(pushed / version), "--json", str(result)]
    assert main([*command, "--gallery", str(_photos(tmp_path / "others"))]) == 0
    printed = capsys.readouterr().out
    assert "left out, since they cannot be decoded: 1 (red/broken.png)" in printed
    assert "4 queries, 4 images searched" in printed
    written = json.loads(result.read_text("utf-8"))
    assert written["means"]["recall_at_1"]["mean"] == 1.0
    assert written["hardest"][0]["id"].startswith(str(photos))


def test_what_is_no_model_or_no_folder_of_photos_is_named(
    pushed: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = _photos(tmp_path / "photos")
    for model, folder, message in (
        (tmp_path / "none", photos, "none is neither a pushed model nor a folder of versions"),
        (pushed / "other", photos, "other has no signature embed, but none"),
        (pushed, tmp_path / "nowhere", "nowhere is not a folder"),
    ):
        assert main(["eval", str(folder), "--model", str(model)]) == 1
        assert message in capsys.readouterr().err
    for name in ("red", "blue"):
        for path in (photos / name).iterdir():
            path.write_bytes(b"")
    assert main(["eval", str(photos), "--model", str(pushed)]) == 1
    assert "photos holds no photo that the model can decode" in capsys.readouterr().err


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, write_dataset: Any) -> pathlib.Path:
    """A dataset of single colours, as TFDS prepares it."""
    import io

    from PIL import Image

    def photo(red: int, green: int) -> bytes:
        buffer = io.BytesIO()
        Image.new("RGB", (4, 4), (red, green, 0)).save(buffer, "PNG")
        return buffer.getvalue()

    photos = [
        (photo(250 - i, i) if i % 2 else photo(i, 250 - i), i % 2, f"{i}.png") for i in range(10)
    ]
    splits = {"train": [photos[:3], photos[3:6]], "test": [photos[6:]]}
    return write_dataset(tmp_path_factory.mktemp("data"), "colours", ["green", "red"], splits)


def test_a_pushed_model_is_measured_on_a_split(
    pushed: pathlib.Path,
    prepared: pathlib.Path,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = tmp_path / "result.json"
    splits = [str(prepared / "test"), "--gallery", str(prepared / "train")]
    assert main(["eval", *splits, "--model", str(pushed), "--json", str(result)]) == 0
    printed = capsys.readouterr().out
    assert "4 queries, 6 images searched" in printed
    assert json.loads(result.read_text("utf-8"))["means"]["recall_at_1"]["mean"] == 1.0
    assert "6.png" in result.read_text("utf-8")


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("", "is a prepared dataset; name one of its splits: "),
        ("dev", "has no images in a split dev, but in train, test"),
    ],
)
def test_a_split_that_is_not_there_is_named(
    pushed: pathlib.Path,
    prepared: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    split: str,
    message: str,
) -> None:
    assert main(["eval", str(prepared / split), "--model", str(pushed)]) == 1
    assert message in capsys.readouterr().err


def test_a_split_that_is_cut_short_is_named(
    pushed: pathlib.Path,
    prepared: pathlib.Path,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "colours" / "1.0.0"
    shutil.copytree(prepared, folder)
    (shard,) = folder.glob("*-test.tfrecord*")
    os.truncate(shard, shard.stat().st_size - 5)
    assert main(["eval", str(folder / "test"), "--model", str(pushed)]) == 1
    assert f"flowersim: {shard} is damaged or cut short: 3 of 4" in capsys.readouterr().err
