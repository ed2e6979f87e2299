"""Version folders behind URLs, where nothing can be renamed: complete with the last object only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import tensorflow as tf

from components.pusher import digests, versions
from tests.object_store.guard import no_local_urls
from tests.object_store.memory import memory_bucket

FILES = ("saved_model.pb", "variables/variables.index")


@pytest.fixture
def bucket() -> Iterator[str]:
    with memory_bucket() as url, no_local_urls():
        yield url


def model(folder: str, content: str) -> str:
    for name in FILES:
        versions.io_utils.write_string_file(f"{folder}/{name}", f"{content} {name}")
    return folder


def test_the_same_model_is_known_by_its_digest_alone(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = versions.publish(model(f"{bucket}/a", "a"), f"{bucket}/serving")
    digests.store(f"{bucket}/a", digests.compute(f"{bucket}/a"))
    assert digests.compute(f"{bucket}/a") == digests.stored(first.path)

    def read(*_: Any) -> str:
        raise AssertionError("the whole model was read")

    monkeypatch.setattr(digests, "compute", read)
    again = versions.publish(f"{bucket}/a", f"{bucket}/serving")
    assert (again.path, again.is_new) == (first.path, False)


@pytest.mark.parametrize("files", range(3))
def test_a_push_that_dies_leaves_nothing_to_serve_and_the_next_one_clears_up(
    bucket: str, monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    base = f"{bucket}/serving"
    first = versions.publish(model(f"{bucket}/a", "a"), base)
    source = model(f"{bucket}/b", "b")
    write, copied = tf.io.gfile.copy, 0

    def die(*arguments: Any, **options: Any) -> None:
        nonlocal copied
        if copied == files:
            raise KeyboardInterrupt
        copied += 1
        write(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(tf.io.gfile, "copy", die)
        if files < len(FILES):
            with pytest.raises(KeyboardInterrupt):
                versions.publish(source, base)
            assert versions.complete_versions(base) == [first.version]
        else:
            versions.publish(source, base)
            assert len(versions.complete_versions(base)) == 2
    versions.publish(source, base)
    left = {int(name.rstrip("/")) for name in tf.io.gfile.listdir(base)}
    assert left == set(versions.complete_versions(base))
    assert len(left) == 2


def test_a_deletion_that_dies_leaves_nothing_to_serve(
    bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = f"{bucket}/serving"
    version = versions.publish(model(f"{bucket}/a", "a"), base).version

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tf.io.gfile, "rmtree", die)
    with pytest.raises(KeyboardInterrupt):
        versions.delete(base, version)
    assert versions.complete_versions(base) == []
