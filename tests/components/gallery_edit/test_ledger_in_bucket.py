"""GalleryEdit with its ledger, its photos and its artifacts behind URLs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import tensorflow as tf

from components.gallery_edit import edits, executor, ledger, photo_store
from components.gallery_edit.ledger import Added, GalleryError, Ledger
from tests.object_store.guard import no_local_urls
from tests.object_store.memory import memory_bucket


def test_added_photos_become_examples(make_photo: Callable[..., bytes]) -> None:
    with memory_bucket() as url, no_local_urls():
        folder, photo = f"{url}/gallery", make_photo(0)
        stored = photo_store.store(folder, photo, ".jpg")
        photo_store.store(folder, b"left by an add that died", ".jpg")
        said = Ledger((Added("lily/1.jpg", "lily", stored, "now"),), {"old": "then"})
        ledger.write(folder, said)
        photo_store.sweep(folder, said)
        assert tf.io.gfile.listdir(f"{folder}/photos") == [stored]
        assert ledger.read(folder) == said
        assert ledger.read(f"{url}/elsewhere") == Ledger()

        executor.publish(folder, said.digest, f"{url}/examples", f"{url}/edits")
        assert edits.read(f"{url}/edits") == edits.Edits(("lily/1.jpg",), frozenset({"old"}))
        files = tf.io.gfile.glob(f"{url}/examples/Split-added/*")
        (record,) = tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator()
        assert tf.train.Example.FromString(record).features.feature["image"].bytes_list.value == [
            photo
        ]


def test_a_photo_that_is_gone_is_named() -> None:
    with memory_bucket() as url, no_local_urls():
        photo = Added("lily/1.jpg", "lily", "0.jpg")
        with pytest.raises(GalleryError, match=f"{url}/photos/0.jpg.*No such file"):
            photo_store.load(url, photo)
