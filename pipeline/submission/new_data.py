"""Whether there is data that no run was submitted for, and the record of what was.

The data is known by the names, sizes and times of its files, which is also what ExampleGen goes
by: a run on the same ones would find its results in the cache. The record lies in the pipeline
root, so that it does not matter where the command runs, and is written after a submission only.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
from typing import Any

from pipeline.submission.errors import SubmissionError
from pipeline.submission.spec_file import SpecFile

PARAMETER = "data_folder"


@dataclasses.dataclass(frozen=True)
class DataState:
    """A dataset as it is now, and when a run was last submitted for it.

    Attributes:
        folder: Of the dataset.
        files: How many it has.
        fingerprint: Of them all.
        record: The file that holds what was submitted last.
        last: What it holds; None if there is none.
    """

    folder: str
    files: int
    fingerprint: str
    record: str
    last: dict[str, Any] | None

    @property
    def new(self) -> bool:
        """Whether it is not what was submitted last."""
        known = ("folder", "fingerprint")
        return self.last is None or any(self.last[key] != getattr(self, key) for key in known)

    @property
    def key(self) -> str:
        """Of the job to submit: another one each time that the data changes, also back."""
        before = self.last["job"] if self.last else ""
        told = json.dumps([before, self.folder, self.fingerprint])
        return "data" + hashlib.sha256(told.encode()).hexdigest()[:16]


def look(spec: SpecFile, parameters: dict[str, Any], pipeline_root: str | None) -> DataState:
    """Looks at the data of a compiled pipeline.

    Args:
        spec: The compiled pipeline.
        parameters: Its values; `data_folder` is where its dataset is.
        pipeline_root: Where the record is; None for the spec's.

    Raises:
        SubmissionError: The pipeline says of no folder or root, the folder is empty or cannot be
            read, or the record is damaged.
    """
    folder = parameters.get(PARAMETER)
    if not isinstance(folder, str) or not folder:
        raise SubmissionError(
            f"{spec.path} has no parameter {PARAMETER}, so where its data is cannot be known; "
            "it has " + (", ".join(sorted(parameters)) or "none")
        )
    root = pipeline_root or spec.pipeline_root
    if not root:
        raise SubmissionError(
            f"{spec.path} has no pipeline root, where the record of what was submitted is kept: "
            "give --pipeline-root"
        )
    count, fingerprint = _fingerprint(folder)
    record = f"{root.rstrip('/')}/submitted/{spec.name}.json"
    return DataState(folder, count, fingerprint, record, _recorded(record))


def remember(state: DataState, job: str) -> None:
    """Records that a job was submitted for the data.

    Raises:
        SubmissionError: It cannot be written; the message says that the job runs all the same.
    """
    import tensorflow as tf

    now = datetime.datetime.now(datetime.timezone.utc)
    told = {
        "folder": state.folder,
        "fingerprint": state.fingerprint,
        "files": state.files,
        "job": job,
        "submitted": now.isoformat(timespec="seconds"),
    }
    partial = f"{state.record}.partial"
    try:
        tf.io.gfile.makedirs(state.record.rpartition("/")[0])
        with tf.io.gfile.GFile(partial, "w") as file:
            file.write(json.dumps(told, indent=2) + "\n")
        tf.io.gfile.rename(partial, state.record, overwrite=True)
    except tf.errors.OpError as error:
        raise SubmissionError(
            f"{job} was submitted, but {state.record} cannot be written, so that the next call "
            f"will take the data for new again: {error.message}"
        ) from error


def _fingerprint(folder: str) -> tuple[int, str]:
    """How many files there are, and a digest of their names, sizes and times."""
    import tensorflow as tf

    base = folder.rstrip("/")
    digest, count = hashlib.sha256(), 0
    try:
        files = sorted(
            f"{place.rstrip('/')}/{name}"
            for place, _, names in tf.io.gfile.walk(base, onerror=_raise)
            for name in names
        )
        for path in files:
            about = tf.io.gfile.stat(path)
            told = [path.removeprefix(base), about.length, about.mtime_nsec]
            digest.update(json.dumps(told).encode() + b"\n")
            count += 1
    except tf.errors.OpError as error:
        raise SubmissionError(f"the data in {folder} cannot be read: {error.message}") from error
    if not count:
        raise SubmissionError(f"{folder} holds no file: is it where the data is?")
    return count, digest.hexdigest()


def _raise(error: Exception) -> None:
    raise error


def _recorded(record: str) -> dict[str, Any] | None:
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(record) as file:
            found = json.loads(file.read())
        if not all(isinstance(found[key], str) for key in ("folder", "fingerprint", "job")):
            raise ValueError("not all of folder, fingerprint and job are there")
    except tf.errors.NotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise SubmissionError(
            f"{record} is damaged ({error}); delete it to take the data for new"
        ) from error
    except tf.errors.OpError as error:
        raise SubmissionError(f"{record} cannot be read: {error.message}") from error
    return found
