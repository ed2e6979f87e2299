"""Log lines that say how far a long piece of work has come, for whoever follows the log.

Counts of images are increments, so that several workers of one process can report without knowing
of each other. Nobody has to listen.
"""

from __future__ import annotations

import time

from absl import logging

SECONDS_BETWEEN_LINES = 1.0


class ImageCounter:
    """Reports processed images, at most once a second."""

    def __init__(self) -> None:
        """Starts at none."""
        self._unreported = 0
        self._reported_at = time.monotonic()

    def add(self, images: int) -> None:
        """Counts images that are done."""
        self._unreported += images
        if time.monotonic() - self._reported_at >= SECONDS_BETWEEN_LINES:
            self.flush()

    def flush(self) -> None:
        """Reports what has not been reported."""
        if self._unreported:
            logging.info("Progress: %d more images.", self._unreported)
        self._unreported = 0
        self._reported_at = time.monotonic()


def report(doing: str) -> None:
    """Says what is done now, in a few words, for instance `reading the gallery`."""
    logging.info("Progress: %s.", doing)


class Countdown:
    """Reports how much of a known number of things is done, at most once a second."""

    def __init__(self, things: str, total: int) -> None:
        """Starts at none of `total`; `things` is what is counted, in the plural."""
        self._things, self._total = things, total
        self._done = 0
        self._reported_at = 0.0

    def add(self) -> None:
        """Counts one."""
        self._done += 1
        now = time.monotonic()
        if now - self._reported_at >= SECONDS_BETWEEN_LINES or self._done == self._total:
            self._reported_at = now
            logging.info("Progress: %s %d/%d.", self._things, self._done, self._total)
