"""The fake bucket against Google's own client and Beam's, over real HTTP."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.object_store.buckets import Buckets
from tests.object_store.server import serve
from tests.object_store.storage_api import StorageApi


@pytest.fixture
def api() -> StorageApi:
    return StorageApi(Buckets("one", "two"))


@pytest.fixture
def endpoint(api: StorageApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with serve(api) as port:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
        # Nobody asks for credentials that the server would not look at.
        monkeypatch.setenv("NO_GCE_CHECK", "true")
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def bucket(endpoint: str) -> Any:
    from google.cloud import storage

    return storage.Client.create_anonymous_client().bucket("one")


def test_an_object_is_read_as_it_was_written(bucket: Any) -> None:
    content = os.urandom(3_000_000)
    blob = bucket.blob("a folder/ü%2F.bin")
    blob.upload_from_string(content, "image/jpeg")
    found = bucket.get_blob("a folder/ü%2F.bin")
    assert (found.size, found.content_type) == (len(content), "image/jpeg")
    assert found.download_as_bytes() == content
    assert found.download_as_bytes(start=7, end=1006) == content[7:1007]
    assert bucket.get_blob("a folder") is None


def test_a_resumable_upload_appears_with_its_last_chunk(bucket: Any, api: StorageApi) -> None:
    content = os.urandom(1_000_001)
    with bucket.blob("chunks").open("wb", chunk_size=256 * 1024) as file:
        file.write(content[:600_000])
        assert not bucket.blob("chunks").exists()
        file.write(content[600_000:])
    assert bucket.blob("chunks").download_as_bytes() == content
    assert api.log.count("PUT one/chunks") == 1


def test_lists_have_pages_and_folders(bucket: Any) -> None:
    for name in ("a/1", "a/2", "a/b/3", "a/b/4", "c/5"):
        bucket.blob(name).upload_from_string(b"x")
    assert [blob.name for blob in bucket.list_blobs(prefix="a/", page_size=1)] == [
        "a/1",
        "a/2",
        "a/b/3",
        "a/b/4",
    ]
    listing = bucket.list_blobs(prefix="a/", delimiter="/", page_size=2)
    assert [blob.name for blob in listing] == ["a/1", "a/2"]
    assert listing.prefixes == {"a/b/"}


def test_preconditions_hold(bucket: Any) -> None:
    from google.api_core.exceptions import NotFound, PreconditionFailed

    blob = bucket.blob("once")
    blob.upload_from_string(b"1", if_generation_match=0)
    first = blob.generation
    with pytest.raises(PreconditionFailed):
        bucket.blob("once").upload_from_string(b"2", if_generation_match=0)
    bucket.blob("once").upload_from_string(b"3", if_generation_match=first)
    with pytest.raises(PreconditionFailed):
        bucket.delete_blob("once", if_generation_match=first)
    assert bucket.blob("once").download_as_bytes() == b"3"
    bucket.delete_blob("once")
    with pytest.raises(NotFound):
        bucket.delete_blob("once")


def test_copies_reach_other_buckets_and_batches_do_several_things(bucket: Any) -> None:
    other = bucket.client.bucket("two")
    bucket.blob("a").upload_from_string(b"content", "text/x")
    bucket.copy_blob(bucket.blob("a"), other, "b")
    other.blob("c").rewrite(bucket.blob("a"))
    assert [blob.download_as_bytes() for blob in other.list_blobs()] == [b"content", b"content"]
    with bucket.client.batch(raise_exception=False):
        other.delete_blob("b")
        other.delete_blob("absent")
        other.delete_blob("c")
    assert list(other.list_blobs()) == []


def test_what_it_does_not_know_it_says(bucket: Any) -> None:
    from google.api_core.exceptions import MethodNotImplemented, NotFound

    with pytest.raises(NotFound):
        bucket.client.get_bucket("absent")
    bucket.blob("a").upload_from_string(b"1")
    with pytest.raises(MethodNotImplemented):
        bucket.get_blob("a").patch(retry=None)


def test_a_token_is_asked_for() -> None:
    with serve(StorageApi(Buckets("one"), token="secret")) as port:
        url = f"http://127.0.0.1:{port}/storage/v1/b/one"
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(url)
        request = urllib.request.Request(url, headers={"Authorization": "Bearer secret"})
        with urllib.request.urlopen(request) as answer:
            assert json.load(answer)["name"] == "one"


def test_beams_client_writes_copies_lists_and_reads(endpoint: str) -> None:
    from apache_beam.io.gcp import gcsio
    from apache_beam.options.pipeline_options import PipelineOptions

    client = gcsio.create_storage_client(PipelineOptions([]), use_credentials=False)
    io = gcsio.GcsIO(storage_client=client)
    for name in ("x", "y"):
        with io.open(f"gs://one/temp/{name}", "w") as file:
            file.write(name.encode())
    assert not any(error for *_, error in io.copy_batch([("gs://one/temp/x", "gs://one/z/x")]))
    assert not any(error for _, error in io.delete_batch(["gs://one/temp/x", "gs://one/temp/y"]))
    assert dict(io.list_files("gs://one/z/")) == {"gs://one/z/x": 1}
    with io.open("gs://one/z/x") as file:
        assert file.read() == b"x"
