"""What the queries of a split find, under the protocol of the evaluation.

The means over these queries are those of TFMA's evaluation of the same run: the same gallery, the
same images left out, ties broken alike. Not the means themselves, which the findings take from the
evaluation, with its intervals.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from components.report.findings.run_images import Ints, Mask, RunImages
from retrieval.leading_ranks import relevant_counts
from retrieval.metrics import per_query_metrics
from retrieval.search import top_k

# Neighbours of a query that are kept.
NEIGHBOURS = 8


@dataclasses.dataclass(frozen=True)
class QueryResults:
    """Queries, their neighbours and their metrics; "row" is a row of the images.

    Attributes:
        rows: The queries, int64 [Q].
        gallery: What was searched, int64 [G].
        neighbours: Rows of the nearest, best first, int64 [Q, NEIGHBOURS]; -1 where there are
            fewer.
        scores: Their cosines, float32 [Q, NEIGHBOURS]; -inf where there are fewer.
        left_out: How many images of these splits took no part.
        relevant: How many images of the gallery are of the query's class, itself not counted,
            int64 [Q].
        values: By metric, float64 [Q]; NaN for a query without a relevant image.
    """

    rows: Ints
    gallery: Ints
    neighbours: Ints
    scores: npt.NDArray[np.float32]
    left_out: int
    relevant: Ints
    values: dict[str, npt.NDArray[np.float64]]

    @property
    def answered(self) -> Mask:
        """Which queries have a relevant image; the others are in no mean, bool [Q]."""
        return self.relevant > 0

    def first_relevant_rank(self, query: int) -> int | None:
        """Rank of a query's nearest relevant image, from 1; None if it has none."""
        if not self.relevant[query]:
            return None
        return round(1.0 / self.values["mean_reciprocal_rank"][query])


def search(
    images: RunImages,
    query_splits: Collection[str],
    gallery_splits: Collection[str],
    *,
    left_out: Collection[str] = (),
    ks: Sequence[int] = (1, 5, 10),
) -> QueryResults:
    """Searches the images of some splits in those of others, each excluded from its own answer.

    Args:
        images: All images.
        query_splits: Whose images are queries.
        gallery_splits: Whose images are searched.
        left_out: Ids of images that take no part.
        ks: Cut-offs of the metrics that have one; 1 is added.
    """
    takes_part = ~images.with_ids(left_out)
    rows = np.flatnonzero(images.among(query_splits) & takes_part)
    gallery = np.flatnonzero(images.among(gallery_splits) & takes_part)
    ids = images.keys[rows], images.keys[gallery]
    labels = images.classes[rows], images.classes[gallery]
    vectors = images.embeddings[rows], images.embeddings[gallery]
    cut_offs = sorted({1, *ks})
    scores, found = top_k(*vectors, NEIGHBOURS, query_ids=ids[0], gallery_ids=ids[1])
    return QueryResults(
        rows=rows,
        gallery=gallery,
        neighbours=np.where(found >= 0, np.append(gallery, -1)[found], -1),
        scores=scores,
        left_out=int((images.among([*query_splits, *gallery_splits]) & ~takes_part).sum()),
        relevant=relevant_counts(labels, ids),
        values=per_query_metrics(
            vectors[0], labels[0], ids[0], vectors[1], labels[1], ids[1], cut_offs
        ),
    )
