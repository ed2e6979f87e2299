"""What a purge deletes, and what it leaves: versions, artifacts of indexing, and all else."""

from __future__ import annotations

import pathlib
import shutil
from collections.abc import Sequence

import pytest
import tensorflow as tf

from components.gallery_edit.edits import ADDED_SPLIT
from components.gallery_edit.ledger import GalleryError
from pipeline.purge import purge


def _model(folder: pathlib.Path, ids: Sequence[str]) -> None:
    """A SavedModel whose variables are those of a servable that are looked at."""
    module = tf.Module()
    module.ids = tf.Variable([*ids, ""])
    module.class_names = tf.Variable(["x"] * len(ids) + [""])
    tf.saved_model.save(module, str(folder))


def _records(folder: pathlib.Path, ids: Sequence[str]) -> None:
    folder.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(folder / "part.gz"), "GZIP") as writer:
        for identity in ids:
            example = tf.train.Example()
            example.features.feature["id"].bytes_list.value.append(identity.encode())
            writer.write(example.SerializeToString())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    work = tmp_path_factory.mktemp("work")
    for version, ids in ((5, ["a", "ü"]), (6, ["a"]), (7, ["a", "b"])):
        _model(work / "serving/flowers" / str(version), ids)
    tf.saved_model.save(tf.Module(), str(work / "serving/flowers/3"))
    root = work / "pipeline_root"
    _model(root / "SimilarityIndexer/servable/11/Format-Serving", ["a", "ü"])
    _model(root / "SimilarityIndexer/servable/12/Format-Serving", ["a", "b"])
    _model(root / "ServingCheck/blessing/13/stamped/Format-Serving", ["ü"])
    tf.saved_model.save(tf.Module(), str(root / "Trainer/model/2/Format-Serving"))
    for node, kind in (("GalleryEdit", "examples"), ("AddedEmbedder", "embeddings")):
        _records(root / node / kind / "21" / f"Split-{ADDED_SPLIT}", ["b", "ü"])
        _records(root / node / kind / "22" / f"Split-{ADDED_SPLIT}", ["b"])
        _records(root / node / kind / "23" / f"Split-{ADDED_SPLIT}", [])
    _records(root / "ImageEmbedder/embeddings/4/Split-train", ["ü"])
    return work


@pytest.fixture
def work(built: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    return pathlib.Path(shutil.copytree(built, tmp_path / "work"))


def _folders(work: pathlib.Path) -> set[str]:
    found = (*work.glob("serving/*/*"), *work.glob("pipeline_root/*/*/*"))
    return {str(path.relative_to(work)) for path in found}


def test_what_holds_a_removed_image_is_deleted_and_all_else_stays(work: pathlib.Path) -> None:
    before = _folders(work)
    purged = purge(work, str(work / "serving/flowers"), ["ü", "never there"])
    assert (purged.versions, purged.unknown) == ((5,), (3,))
    artifacts = {str(pathlib.Path(path).relative_to(work)) for path in purged.artifacts}
    assert artifacts == {
        "pipeline_root/SimilarityIndexer/servable/11",
        "pipeline_root/ServingCheck/blessing/13",
        "pipeline_root/GalleryEdit/examples/21",
        "pipeline_root/AddedEmbedder/embeddings/21",
    }
    assert _folders(work) == before - artifacts - {"serving/flowers/5"}


def test_what_is_served_is_never_deleted(work: pathlib.Path) -> None:
    before = _folders(work)
    with pytest.raises(GalleryError, match="version 7, which is served, still has b; .*remove"):
        purge(work, str(work / "serving/flowers"), ["ü", "b"])
    assert _folders(work) == before


def test_where_nothing_was_removed_nothing_is_deleted(work: pathlib.Path) -> None:
    before = _folders(work)
    purged = purge(work, str(work / "serving/flowers"), [])
    assert not purged.versions and not purged.artifacts and _folders(work) == before
