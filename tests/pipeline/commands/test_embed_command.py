"""`flowersim embed`: the embeddings of the component and the server, whatever photos lie in."""

from __future__ import annotations

import io
import json
import pathlib
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipeline.batch_embedding.embedding import embed_each
from pipeline.batch_embedding.photos import source_of
from pipeline.cli import main
from pipeline.embedding_file import read_embeddings

PHOTOS = 40


def example(**features: Any) -> bytes:
    import tensorflow as tf

    def feature(value: Any) -> tf.train.Feature:
        if isinstance(value, int):
            return tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))

    fields = {name: feature(value) for name, value in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=fields)).SerializeToString()


def write_records(path: pathlib.Path, records: list[bytes], packing: str = "") -> None:
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path), packing) as writer:
        for record in records:
            writer.write(record)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A Trainer's model in `trained`, with the real decoder and a small network, and in `pushed`
    the folder of versions of the model that is served."""
    import tensorflow as tf

    from components.image_embedder.records import EmbeddedImages
    from components.similarity_indexer.servable import SimilarityModel, save
    from trainer_module.export import export

    folder = tmp_path_factory.mktemp("models")
    weights = tf.constant(np.random.default_rng(0).normal(size=(8 * 8 * 3, 16)), tf.float32)

    def in_use(batch: tf.Tensor) -> dict[str, tf.Tensor]:
        features = tf.tanh(tf.reshape(batch, [-1, 8 * 8 * 3]) @ weights)
        return {"features": features, "logits": features[:, :2]}

    network = types.SimpleNamespace(backbone=None, projection=None, head=None, in_use=in_use)
    options = {"canonical_size": 12, "input_size": 8, "class_names": ["a", "b"]}
    export(network, str(folder / "trained"), **options)  # type: ignore[arg-type]
    gallery = EmbeddedImages(
        ids=np.array([b"x"], object),
        labels=np.array([0], np.int64),
        class_names=np.array([b"a"], object),
        embeddings=np.eye(1, 16, dtype=np.float32),
        thumbnails=np.array([b"t"], object),
    )
    model = SimilarityModel(str(folder / "trained"), gallery, k=1, threshold=0.5)
    save(model, str(folder / "pushed" / "12"))
    return folder


@pytest.fixture
def photos(tmp_path: pathlib.Path, make_photo: Callable[..., bytes]) -> pathlib.Path:
    """A folder of photos of two classes, of two kinds, at two depths, and other files."""
    folder = tmp_path / "photos"
    for number in range(PHOTOS):
        kind = ("jpeg", "png")[number % 2]
        path = folder / ("lily", "rose/old")[number % 3 == 0] / f"{number}.{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(make_photo(number, kind))
    (folder / "notes.txt").write_text("no photo")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "1.png").write_bytes(b"x")
    return folder


@pytest.fixture
def embed(models: pathlib.Path, tmp_path: pathlib.Path) -> Callable[..., Any]:
    """Gives `embed(photos, *arguments)`: embeddings by id."""
    import tensorflow as tf

    def run(photos: Any, *arguments: str, output: str = "out") -> dict[str, np.ndarray]:
        folder = tmp_path / output
        command = ["embed", str(photos), "--model", str(models / "pushed")]
        assert main([*command, "--output", str(folder), *arguments]) == 0
        found: dict[str, np.ndarray] = {}
        for file in sorted(folder.glob("embeddings-*.tfrecord.gz")):
            for record in tf.data.TFRecordDataset(str(file), "GZIP").as_numpy_iterator():
                features = tf.train.Example.FromString(record).features.feature
                (identity,) = features["id"].bytes_list.value
                found[identity.decode()] = np.array(features["embedding"].float_list.value)
        return found

    return run


def test_as_the_component_and_the_server_embed(
    models: pathlib.Path,
    photos: pathlib.Path,
    embed: Callable[..., dict[str, np.ndarray]],
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
):
    import apache_beam as beam
    from apache_beam.utils import shared

    from components.image_embedder import records
    from components.image_embedder.embedding import EmbedSplit
    from serving.client import SimilarityClient
    from serving.model_server import ServerOptions, running_server

    files = sorted(path for path in photos.rglob("*.*") if path.suffix in (".jpeg", ".png"))
    paths = {str(path.relative_to(photos)): path for path in files if ".hidden" not in path.parts}
    found = embed(photos)
    assert found.keys() == paths.keys() and len(paths) == PHOTOS
    assert f"out: {PHOTOS} photos embedded with {models}/pushed/12\n" in capsys.readouterr().out

    (tmp_path / "split").mkdir()
    stored = [
        example(image=path.read_bytes(), label=0, class_name=b"x", id=name.encode(), split=b"test")
        for name, path in paths.items()
    ]
    write_records(tmp_path / "split" / "examples.tfrecord.gz", stored, "GZIP")
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        pipeline | EmbedSplit(
            str(tmp_path / "split" / "*"),
            records.split_folder(str(tmp_path / "component"), "test"),
            str(models / "trained"),
            thumbnail_size=8,
            batch=32,
            loaded=shared.Shared(),
        )
    by_component = records.read(str(tmp_path / "component"), ["test"])
    for identity, vector in zip(by_component.ids, by_component.embeddings, strict=True):
        np.testing.assert_allclose(found[identity.decode()], vector, atol=1e-6)

    with (
        running_server(ServerOptions(str(models / "pushed"), model_name="flowers")) as url,
        SimilarityClient(url) as client,
    ):
        for name in list(paths)[::7]:
            np.testing.assert_allclose(found[name], client.embed(paths[name]), atol=1e-6)

    # The same photos in records are the same.
    of_records = embed(tmp_path / "split" / "*.tfrecord.gz", output="of_records")
    assert of_records.keys() == found.keys()
    for name, vector in of_records.items():
        np.testing.assert_allclose(found[name], vector, atol=1e-6)


def test_eval_reads_it(
    photos: pathlib.Path,
    embed: Callable[..., Any],
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
):
    embed(photos)
    assert main(["eval", str(tmp_path / "out"), "--k", "1"]) == 0
    assert f"{PHOTOS} queries, {PHOTOS} images searched" in capsys.readouterr().out
    assert set(read_embeddings(tmp_path / "out").labels) == {"lily", "rose"}


def test_parquet(
    photos: pathlib.Path, models: pathlib.Path, embed: Callable[..., Any], tmp_path: pathlib.Path
):
    import pyarrow.parquet

    as_records = embed(photos)
    command = ["embed", f"{photos}/lily/*", "--model", str(models / "pushed" / "12")]
    output = tmp_path / "parquet"
    assert main([*command, "--output", str(output), "--format", "parquet"]) == 0
    (file,) = output.iterdir()
    table = pyarrow.parquet.read_table(file)
    rows = table.to_pylist()
    assert table.schema.field("embedding").type == pyarrow.list_(pyarrow.float32())
    assert len(rows) == len(list((photos / "lily").iterdir()))
    for row in rows:
        # Of a pattern the ids begin where the wildcards do, and nothing says of classes.
        assert row["class_name"] is None
        np.testing.assert_allclose(row["embedding"], as_records[f"lily/{row['id']}"], atol=1e-6)


def test_bad_photos_are_left_out(
    photos: pathlib.Path,
    embed: Callable[..., Any],
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
):
    whole = embed(photos, output="whole")
    (photos / "lily" / "empty.png").write_bytes(b"")
    (photos / "rose" / "täxt.jpg").write_bytes(b"no photo")
    (photos / "rose" / "cut.png").write_bytes((photos / "lily" / "1.png").read_bytes()[:60])
    found = embed(photos, "--max-bad-share", "0.1")
    assert f"{PHOTOS} photos embedded" in (said := capsys.readouterr().out)
    assert f"3 left out ({tmp_path}/out/bad.jsonl)" in said
    assert found.keys() == whole.keys()
    for name, vector in found.items():
        np.testing.assert_allclose(vector, whole[name], atol=1e-6)
    lines = (tmp_path / "out" / "bad.jsonl").read_text("utf-8").splitlines()
    bad = {line["id"]: line["reason"] for line in map(json.loads, lines)}
    assert bad.keys() == {"lily/empty.png", "rose/täxt.jpg", "rose/cut.png"}
    for reason in bad.values():
        assert reason.startswith("cannot be decoded: ") and "{{" not in reason
    assert not (tmp_path / "whole" / "bad.jsonl").exists()


def test_too_many_bad_photos(
    photos: pathlib.Path,
    models: pathlib.Path,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
):
    for number in range(4):
        (photos / "lily" / f"bad-{number}.png").write_bytes(b"")
    command = ["embed", str(photos), "--model", str(models / "pushed")]
    output = tmp_path / "out"
    assert main([*command, "--output", str(output)]) == 1
    said = capsys.readouterr().err
    assert f"4 of {PHOTOS + 4} photos cannot be used, and --max-bad-share is 0.05: " in said
    assert "lily/bad-" in said and f"{output}.partial/bad.jsonl" in said
    assert not output.exists()
    assert len((tmp_path / "out.partial" / "bad.jsonl").read_text("utf-8").splitlines()) == 4
    # What it has left is in nobody's way.
    assert main([*command, "--output", str(output), "--max-bad-share", "1"]) == 0
    assert output.exists() and not (tmp_path / "out.partial").exists()


def test_records(
    models: pathlib.Path,
    embed: Callable[..., Any],
    make_photo: Callable[..., bytes],
    tmp_path: pathlib.Path,
):
    """As TFDS writes them, with a label and a file's name; and what is wrong in some."""
    tfds = [example(image=make_photo(n), label=n % 2, file_name=b"%d.jpg" % n) for n in range(40)]
    write_records(tmp_path / "flowers-train.tfrecord-00000-of-00002", tfds[:35])
    write_records(
        tmp_path / "flowers-train.tfrecord-00001-of-00002",
        [*tfds[35:], example(image=make_photo(50)), b"\xff", example(label=1), example(image=b"")],
    )
    found = embed(tmp_path / "flowers-train.tfrecord-*", "--max-bad-share", "0.1")
    second = "flowers-train.tfrecord-00001-of-00002"
    assert found.keys() == {*(f"{n}.jpg" for n in range(40)), f"{second}:5"}
    lines = (tmp_path / "out" / "bad.jsonl").read_text("utf-8").splitlines()
    bad = {line["id"]: line["reason"] for line in map(json.loads, lines)}
    assert bad == {
        f"{second}:6": "is no tf.train.Example",
        f"{second}:7": "has no feature image",
        f"{second}:8": "has no feature image",
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"--model": "{tmp}"}, "is neither a pushed model nor a folder of versions"),
        ({"photos": "{tmp}/nowhere"}, "nowhere cannot be read as a folder"),
        ({"photos": "{tmp}/empty"}, "names no photo"),
        ({"photos": "{tmp}/*.jpg"}, "names no photo"),
        ({"photos": "{tmp}/none.tfrecord"}, "names no photo"),
        ({"photos": "{tmp}/cut.tfrecord"}, "cut.tfrecord cannot be read as TFRecords"),
        ({"--output": "{photos}"}, "is there already"),
        ({"--beam": "runer=DataflowRunner"}, "--beam: Beam has no option runer"),
        ({"--beam": "direct_num_workers=all"}, "--direct_num_workers: invalid int value: 'all'"),
    ],
)
def test_mistakes(
    photos: pathlib.Path,
    models: pathlib.Path,
    tmp_path: pathlib.Path,
    change: dict[str, str],
    message: str,
    capsys: pytest.CaptureFixture[str],
):
    (tmp_path / "empty").mkdir()
    write_records(tmp_path / "cut.tfrecord", [example(image=b"x" * 100)])
    whole = (tmp_path / "cut.tfrecord").read_bytes()
    (tmp_path / "cut.tfrecord").write_bytes(whole[:-10])
    given = {"photos": str(photos), "--model": f"{models}/pushed", "--output": f"{tmp_path}/out"}
    given |= {name: text.format(tmp=tmp_path, photos=photos) for name, text in change.items()}
    words = [given.pop("photos"), *(word for pair in given.items() for word in pair)]
    before = sorted(photos.rglob("*"))
    assert main(["embed", *words]) == 1
    assert message in capsys.readouterr().err
    assert sorted(photos.rglob("*")) == before and not (tmp_path / "out").exists()


def test_classes_below_splits(
    models: pathlib.Path,
    make_photo: Callable[..., bytes],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    for name in ("Train/rose/a.PNG", "Train/rose/deep/b.jpg", "test/lily/c.gif", "flat.png"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(make_photo(1, "png"))
    monkeypatch.chdir(tmp_path)
    command = ["embed", "set", "--model", str(models / "pushed"), "--format", "parquet"]
    assert main([*command, "--output", "out/here/"]) == 0
    import pyarrow.parquet

    rows = pyarrow.parquet.read_table(tmp_path / "out" / "here").to_pylist()
    assert {row["id"]: row["class_name"] for row in rows} == {
        "Train/rose/a.PNG": "rose",
        "Train/rose/deep/b.jpg": "rose",
        "test/lily/c.gif": "lily",
        "flat.png": None,
    }
    (tmp_path / "file").write_text("x")
    capsys.readouterr()
    assert main([*command, "--output", "file/out"]) == 1
    assert capsys.readouterr().err.startswith("flowersim: ")


def test_one_bad_photo_of_one(
    models: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.png").write_bytes(b"")
    command = ["embed", str(tmp_path / "set"), "--model", str(models / "pushed")]
    assert main([*command, "--output", str(tmp_path / "out"), "--max-bad-share", "1"]) == 1
    assert "1 of 1 photos cannot be used" in capsys.readouterr().err


def test_what_a_path_means(tmp_path: pathlib.Path):
    for name in ("train/rose", "Test/rose", ".git/x"):
        (tmp_path / "split" / name).mkdir(parents=True)
    base = f"{tmp_path}/split/"
    assert source_of(f"{tmp_path}/split") == (f"{base}**", base, False, 1)
    (tmp_path / "split" / "other").mkdir()
    assert source_of(base).split_folders == 0
    pattern = "gs://bucket/photos/2026-*/[ab]/*.jpg"
    assert source_of(pattern) == (pattern, "gs://bucket/photos/", False, 0)
    assert source_of("gs://b/x.tfrecord-00000-of-00001")[1:3] == ("gs://b/", True)


def test_few_are_embedded_again_for_one_that_is_bad():
    import tensorflow as tf

    asked: list[int] = []

    def embed(photos: Any) -> np.ndarray:
        asked.append(len(photos))
        if b"bad" in photos:
            raise tf.errors.InvalidArgumentError(None, None, "{{node a}} it is bad [[{{node b}}]]")
        return np.array([[float(photo)] for photo in photos])

    photos = [b"%d" % number for number in range(32)]
    photos[19] = b"bad"
    found = embed_each(photos, embed)
    assert found[19] == "cannot be decoded: it is bad"
    assert [row[0] for index, row in enumerate(found) if index != 19] == [
        number for number in range(32) if number != 19
    ]
    assert sum(asked) < 3 * 32


def test_progress_is_shown_on_a_terminal():
    from absl import logging
    from rich.console import Console

    from pipeline.batch_embedding.progress import counted

    screen = io.StringIO()
    with counted(Console(file=screen, force_terminal=True, width=80)):
        logging.info("Progress: %d more images.", 1200)
        logging.info("Progress: %d more images.", 34)
    assert "1,234 photos" in screen.getvalue()


def test_the_formats_are_those_that_are_written():
    """The command has a list of its own, since Beam is too large for `--help`."""
    from pipeline.batch_embedding import output
    from pipeline.commands.embed_command import _FORMATS

    assert _FORMATS == output.FORMATS


@pytest.mark.parametrize("runner", ["FnApiRunner", "direct.DirectRunner"])
def test_a_typing_error_is_told_also_where_a_runner_is_named(
    photos: pathlib.Path,
    models: pathlib.Path,
    tmp_path: pathlib.Path,
    runner: str,
    capsys: pytest.CaptureFixture[str],
):
    given = ["embed", str(photos), "--model", f"{models}/pushed", "--output", f"{tmp_path}/out"]
    assert main([*given, "--beam", f"runner={runner}", "--beam", "direct_num_workrs=4"]) == 1
    assert "--beam: Beam has no option direct_num_workrs" in capsys.readouterr().err
