"""GalleryEdit: from a ledger to the examples that are embedded, and the edits that are indexed."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import pytest
import tensorflow as tf
from tfx.types import artifact_utils, standard_artifacts

from components.gallery_edit import edits, ledger, photo_store
from components.gallery_edit.artifact import GalleryEdits
from components.gallery_edit.component import GalleryEdit
from components.gallery_edit.ledger import Added, GalleryError, Ledger
from trainer_module import features


@pytest.fixture
def gallery(tmp_path: pathlib.Path, make_photo: Callable[..., bytes]) -> pathlib.Path:
    photos = [
        Added(f"{name}/{i}.jpg", name, photo_store.store(tmp_path, make_photo(i), ".jpg"))
        for i, name in enumerate(("rosé", "lily"))
    ]
    ledger.write(tmp_path, Ledger(removed={"old/1.jpg": "2026-01-01"}).adding(photos))
    return tmp_path


def _run(folder: pathlib.Path, digest: str, out: pathlib.Path) -> tuple[list[bytes], edits.Edits]:
    examples, changed = standard_artifacts.Examples(), GalleryEdits()
    examples.uri, changed.uri = str(out / "examples"), str(out / "edits")
    GalleryEdit.test_call(  # type: ignore[attr-defined]
        examples=examples, edits=changed, ledger=str(folder), digest=digest, code_hash="x"
    )
    assert artifact_utils.decode_split_names(examples.split_names) == [edits.ADDED_SPLIT]
    files = tf.io.gfile.glob(f"{artifact_utils.get_split_uri([examples], edits.ADDED_SPLIT)}/*")
    records = list(tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator())
    return records, edits.read(changed.uri)


def test_photos_become_examples_and_ids_edits(
    gallery: pathlib.Path, tmp_path: pathlib.Path, make_photo: Callable[..., bytes]
) -> None:
    records, found = _run(gallery, ledger.read(gallery).digest, tmp_path / "out")
    assert found == edits.Edits(("lily/1.jpg", "rosé/0.jpg"), frozenset({"old/1.jpg"}))
    parsed = features.parse_raw(tf.constant(records))
    rows = {key: value.numpy().tolist() for key, value in parsed.items()}
    assert rows[features.ID] == [b"lily/1.jpg", "rosé/0.jpg".encode()]
    assert rows[features.IMAGE] == [make_photo(1), make_photo(0)]
    assert rows[features.CLASS_NAME] == [b"lily", "rosé".encode()]
    assert rows[features.SPLIT] == [edits.ADDED_SPLIT.encode()] * 2
    assert rows[features.LABEL] == [edits.unseen_label(name) for name in ("lily", "rosé")]


def test_where_nothing_was_added_there_is_an_empty_split(tmp_path: pathlib.Path) -> None:
    ledger.write(tmp_path, Ledger().removing(["a"], "2026-01-01"))
    records, found = _run(tmp_path, ledger.read(tmp_path).digest, tmp_path / "out")
    assert records == [] and found == edits.Edits((), frozenset({"a"}))


def test_a_ledger_that_changed_meanwhile_is_refused(
    gallery: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    digest = ledger.read(gallery).digest
    ledger.write(gallery, ledger.read(gallery).removing(["lily/1.jpg"], "now"))
    with pytest.raises(GalleryError, match="was changed while the pipeline ran"):
        _run(gallery, digest, tmp_path / "out")
    assert not (tmp_path / "out").exists()
