"""How a run answers the queries of a split, under the protocol of its own evaluation.

The search itself is that of the report (`components/report/findings/query_results.py`); here its
results are put in the order of the queries' ids, so that runs can be laid side by side.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np

from components.report.findings.query_results import search
from components.report.findings.run_images import RunImages


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How the queries of a run were evaluated.

    Attributes:
        gallery_splits: Splits that they are searched in; none for their own split.
        left_out: Ids of near-duplicates that take no part.
        ks: The cut-offs of recall.
    """

    gallery_splits: tuple[str, ...] = ()
    left_out: frozenset[str] = frozenset()
    ks: tuple[int, ...] = (1, 5, 10)


@dataclasses.dataclass(frozen=True)
class Answers:
    """The answers of a run to the queries of a split, sorted by id.

    Attributes:
        ids: Text, each once, [Q].
        class_names: Text, [Q].
        thumbnails: JPEG bytes, [Q].
        values: By metric, float64 [Q]; NaN for a query without anything to find.
        neighbours: Rows of `images`, best first, int64 [Q, K]; -1 where there are fewer.
        scores: Their cosines, float32 [Q, K].
        gallery_ids: Ids of what was searched, text [G].
        images: All images of the run.
    """

    ids: np.ndarray
    class_names: np.ndarray
    thumbnails: np.ndarray
    values: Mapping[str, np.ndarray]
    neighbours: np.ndarray
    scores: np.ndarray
    gallery_ids: np.ndarray
    images: RunImages

    @property
    def answered(self) -> np.ndarray:
        """Which queries have something to find, bool [Q]."""
        return ~np.isnan(self.values["map_at_r"])

    @property
    def first_relevant_ranks(self) -> np.ndarray:
        """Ranks of the first image of the query's class, from 1, int64 [Q]; 0 for none."""
        reciprocal = np.nan_to_num(self.values["mean_reciprocal_rank"])
        return np.rint(1.0 / np.where(reciprocal > 0, reciprocal, np.inf)).astype(np.int64)


def answer(images: RunImages, split: str, protocol: Protocol) -> Answers:
    """Searches the queries of a split.

    Args:
        images: All images of the run.
        split: Whose images are the queries.
        protocol: How.
    """
    found = search(
        images,
        [split],
        protocol.gallery_splits or [split],
        left_out=protocol.left_out,
        ks=protocol.ks,
    )
    ids = images.ids[found.rows].astype(str)
    order = np.argsort(ids)
    rows = found.rows[order]
    names = np.array(images.class_names, object)
    return Answers(
        ids=ids[order],
        class_names=names[images.classes[rows]].astype(str),
        thumbnails=images.thumbnails[rows],
        values={name: value[order] for name, value in found.values.items()},
        neighbours=found.neighbours[order],
        scores=found.scores[order],
        gallery_ids=images.ids[found.gallery].astype(str),
        images=images,
    )
