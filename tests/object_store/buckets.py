"""Buckets in memory with the rules of Google Cloud Storage: no folders, no rename, generations.

An object is there whole or not at all, and whoever overwrites it makes another generation. Not for
HTTP: `storage_api.py`.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import hashlib
import itertools
import threading

import google_crc32c


class MissingError(LookupError):
    """There is no such bucket or object."""


class GenerationError(ValueError):
    """The object has another generation than the caller asks for."""


@dataclasses.dataclass(frozen=True)
class StoredObject:
    """One generation of an object."""

    bucket: str
    name: str
    content: bytes
    content_type: str
    generation: int
    updated: str

    def metadata(self) -> dict[str, str]:
        """Its resource in the JSON API, which has whole numbers as text."""
        return {
            "kind": "storage#object",
            "id": f"{self.bucket}/{self.name}/{self.generation}",
            "bucket": self.bucket,
            "name": self.name,
            "size": str(len(self.content)),
            "contentType": self.content_type,
            "generation": str(self.generation),
            "metageneration": "1",
            "updated": self.updated,
            "timeCreated": self.updated,
            "crc32c": base64.b64encode(google_crc32c.Checksum(self.content).digest()).decode(),
            "md5Hash": base64.b64encode(hashlib.md5(self.content).digest()).decode(),
        }


class Buckets:
    """All buckets; safe to use from several threads."""

    def __init__(self, *names: str) -> None:
        self._lock = threading.Lock()
        self._buckets: dict[str, dict[str, StoredObject]] = {name: {} for name in names}
        self._generations = itertools.count(1)

    def check(self, bucket: str) -> None:
        """Raises MissingError if there is no such bucket."""
        if bucket not in self._buckets:
            raise MissingError(f"bucket {bucket}")

    def put(
        self, bucket: str, name: str, content: bytes, content_type: str, generation: int | None
    ) -> StoredObject:
        """Writes an object; `generation` is what it must have now, 0 for none, None for any."""
        self.check(bucket)
        with self._lock:
            self._compare(bucket, name, generation)
            made = StoredObject(
                bucket, name, content, content_type, next(self._generations), _now()
            )
            self._buckets[bucket][name] = made
            return made

    def get(self, bucket: str, name: str, generation: int | None = None) -> StoredObject:
        """Returns an object, if it has the generation (None: whichever it has)."""
        self.check(bucket)
        with self._lock:
            found = self._buckets[bucket].get(name)
        if found is None or generation not in (None, found.generation):
            raise MissingError(f"{bucket}/{name}")
        return found

    def delete(self, bucket: str, name: str, generation: int | None) -> None:
        """Deletes an object, if it has the generation (None: whichever it has)."""
        self.get(bucket, name)
        with self._lock:
            self._compare(bucket, name, generation)
            del self._buckets[bucket][name]

    def listing(
        self, bucket: str, prefix: str = "", delimiter: str = ""
    ) -> list[StoredObject | str]:
        """Returns what begins with `prefix`, in order; up to `delimiter` only, where it is text."""
        self.check(bucket)
        with self._lock:
            objects = sorted(self._buckets[bucket].items())
        found: dict[str, StoredObject | str] = {}
        for name, stored in objects:
            if name.startswith(prefix):
                head, mark, _ = name[len(prefix) :].partition(delimiter or "\0")
                found[prefix + head + mark] = prefix + head + mark if mark else stored
        return [found[name] for name in sorted(found)]

    def _compare(self, bucket: str, name: str, generation: int | None) -> None:
        stored = self._buckets[bucket].get(name)
        if generation not in (None, stored.generation if stored else 0):
            raise GenerationError(f"{bucket}/{name}")


def _now() -> str:
    return (
        datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")[:23] + "Z"
    )
