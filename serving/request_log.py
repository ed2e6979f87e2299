"""Logs a share of the requests and their responses, as TensorFlow Serving's `PredictionLog`s.

Files of TFRecords, `PREFIX-UTC_TIME-PROCESS.tfrecord`, a new one every so often; they can serve as
warm-up records, and to look for drift. Whole images are in them: mind what you keep.
"""

from __future__ import annotations

import datetime
import logging
import os
import queue
import random
import threading
from typing import Any

from serving.model_config import RequestLogging

_LOG = logging.getLogger(__name__)

# Logs that wait to be written; more are dropped, so that a slow disk slows no request.
_WAITING = 256
_RECORDS_PER_FILE = 10_000


class RequestLog:
    """Writes sampled logs in a thread of its own.

    Args:
        seed: Of the sampling; None for a different one each time.
    """

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)
        self._queue: queue.Queue[tuple[str, bytes] | None] = queue.Queue(_WAITING)
        self._writers: dict[str, tuple[Any, int]] = {}
        self._dropped = 0
        self._thread: threading.Thread | None = None

    def is_sampled(self, config: RequestLogging | None) -> bool:
        """Whether a request is to be logged; asked once for each."""
        return config is not None and self._random.random() < config.rate

    def add(self, config: RequestLogging, log: Any) -> None:
        """Has a `PredictionLog` message written."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="request-log", daemon=True)
            self._thread.start()
        try:
            self._queue.put_nowait((config.prefix, log.SerializeToString()))
        except queue.Full:
            self._dropped += 1
            if self._dropped & (self._dropped - 1) == 0:  # 1, 2, 4, 8, …
                _LOG.warning("the request log is too slow: %d records dropped", self._dropped)

    def close(self) -> None:
        """Writes what waits."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _write(self) -> None:
        while (item := self._queue.get()) is not None:
            prefix, record = item
            try:
                self._writer(prefix).write(record)
                if self._queue.empty():
                    self._writers[prefix][0].flush()
            except Exception:  # a full disk must not end the thread
                _LOG.exception("cannot write to the request log %s", prefix)
                self._writers.pop(prefix, None)
        for writer, _ in self._writers.values():
            writer.close()
        self._writers.clear()

    def _writer(self, prefix: str) -> Any:
        import tensorflow as tf

        writer, count = self._writers.get(prefix, (None, 0))
        if writer is None or count >= _RECORDS_PER_FILE:
            if writer is not None:
                writer.close()
            now = datetime.datetime.now(datetime.timezone.utc)
            path = f"{prefix}-{now:%Y%m%dT%H%M%S.%f}Z-{os.getpid()}.tfrecord"
            tf.io.gfile.makedirs(os.path.dirname(path) or ".")
            writer, count = tf.io.TFRecordWriter(path), 0
        self._writers[prefix] = (writer, count + 1)
        return writer
