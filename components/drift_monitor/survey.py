"""The first look at a log, in Beam: what is in it, and which photos will be examined.

Everything is counted; of the photos, each counts once for the choice, however often it was asked
about: copies are not independent of each other. Which are chosen follows from their content alone,
so neither from the order of requests nor from how the log is cut into files.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from components.drift_monitor.logged_requests import CutShort, LoggedPhoto, read_log

COUNTS, PHOTOS = "counts", "photos"

# What is counted; the other part of a count's key says which one.
PHOTO, SKIPPED, CUT, MODEL, NO_MATCH, IDENTITY, CLASS = (
    "photo",
    "skipped",
    "cut",
    "model",
    "no_match",
    "identity",
    "class",
)
_LISTED = (IDENTITY, CLASS)
# Ids and classes that are answered most often, and listed.
MOST = 10


class _Look(beam.DoFn):
    """Counts what a file holds, and yields digest and place of each photo."""

    def process(self, path: str) -> Iterator[Any]:
        for found in read_log(path):
            if isinstance(found, LoggedPhoto):
                digest = hashlib.sha256(found.image).hexdigest()
                yield beam.pvalue.TaggedOutput(PHOTOS, (digest, (path, found.record, found.row)))
                yield PHOTO, ""
                yield MODEL, found.model
                if not found.is_match:
                    yield NO_MATCH, ""
                # Padding has the id "", and is no answer.
                if found.identity:
                    yield IDENTITY, found.identity
                    yield CLASS, found.class_name
            elif isinstance(found, CutShort):
                yield CUT, path
            else:
                yield SKIPPED, found.what


class Survey(beam.PTransform):
    """From paths of files to what is in them.

    The result has two parts: `COUNTS`, a collection of ((what, which), number), of ids and classes
    the most frequent only; and `PHOTOS`, one of (digest, place) of the chosen photos.
    """

    def __init__(self, most: int) -> None:
        """Keeps the limit.

        Args:
            most: Different photos that are chosen at most.
        """
        super().__init__()
        self._most = most

    def expand(self, paths: beam.PCollection) -> dict[str, beam.PCollection]:
        """Builds the steps."""
        found = paths | "Look" >> beam.ParDo(_Look()).with_outputs(PHOTOS, main=COUNTS)
        counts = found[COUNTS] | "Count" >> beam.combiners.Count.PerElement()
        listed = [
            counts
            | f"Only[{kind}]" >> beam.Filter(_is_of, kind)
            | f"Most[{kind}]" >> beam.combiners.Top.Of(MOST, key=_frequency)
            | f"Each[{kind}]" >> beam.FlatMap(list)
            for kind in _LISTED
        ]
        others = counts | "Others" >> beam.Filter(lambda count: count[0][0] not in _LISTED)
        photos = (
            found[PHOTOS]
            | "Once" >> beam.CombinePerKey(_first)
            | "Choose" >> beam.combiners.Top.Smallest(self._most)
            | "EachChosen" >> beam.FlatMap(list)
        )
        return {COUNTS: (*listed, others) | beam.Flatten(), PHOTOS: photos}


def _is_of(count: tuple[tuple[str, str], int], kind: str) -> bool:
    return count[0][0] == kind


def _frequency(count: tuple[tuple[str, str], int]) -> tuple[int, str]:
    """Of equals, one and the same whatever the order they come in."""
    return count[1], count[0][1]


def _first(places: Iterable[tuple[str, int, int]]) -> tuple[str, int, int]:
    return min(places)
