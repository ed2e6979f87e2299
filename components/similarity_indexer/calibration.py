"""What the calibration split's queries tell of an index: the match threshold, and routing's recall.

Both look at each query's exact neighbours in the gallery, the query itself excluded by id. The
threshold is of these also where the served search is routed: so it does not move with the number of
probes, and what routing misses are neighbours in far cells, mostly of other classes, without which
matches are not less precise.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from components.image_embedder.records import EmbeddedImages
from retrieval.calibration import precision_threshold
from retrieval.search import top_k
from retrieval.tf_routed_search import RoutedGallery

# Queries that are searched at a time.
_BATCH = 256


class Neighbours(NamedTuple):
    """The nearest gallery images of queries, best first.

    Attributes:
        scores: Cosines, float32 [Q, K]; -inf where there are fewer.
        rows: Of the gallery, int64 [Q, K]; -1 where there are fewer.
    """

    scores: np.ndarray
    rows: np.ndarray


def exact_neighbours(queries: EmbeddedImages, gallery: EmbeddedImages, k: int) -> Neighbours:
    """Searches exactly; a query is not among its own neighbours."""
    if not len(queries):
        return Neighbours(np.empty((0, k), np.float32), np.empty((0, k), np.int64))
    return Neighbours(
        *top_k(
            queries.embeddings,
            gallery.embeddings,
            k,
            query_ids=queries.ids,
            gallery_ids=gallery.ids,
        )
    )


def match_threshold(
    neighbours: Neighbours, queries: EmbeddedImages, gallery: EmbeddedImages, *, precision: float
) -> float:
    """The lowest cosine from which on neighbours are of the query's class precisely enough.

    Returns:
        The threshold; inf if no threshold is precise enough, or there are no pairs.
    """
    found = neighbours.rows >= 0
    same = gallery.labels[np.maximum(neighbours.rows, 0)] == queries.labels[:, np.newaxis]
    return precision_threshold(neighbours.scores[found], same[found], precision)


def routed_recall(
    neighbours: Neighbours,
    queries: EmbeddedImages,
    gallery: EmbeddedImages,
    routed: RoutedGallery,
) -> float:
    """Share of the exact neighbours that the routed search finds, of all queries together.

    A query that is in the gallery is a part of its own cell's centroid, so this can be a little
    more than of photos that are not.

    Returns:
        Recall@K; NaN if there are no neighbours.
    """
    k = neighbours.rows.shape[1]
    # The query itself may be among them.
    search = tf.function(
        lambda embeddings: routed.nearest(embeddings, k + 1)[1],
        input_signature=[tf.TensorSpec([None, gallery.embeddings.shape[1]], tf.float32)],
    )
    row_of = {identity: row for row, identity in enumerate(gallery.ids)}
    hits = total = 0
    for start in range(0, len(queries), _BATCH):
        part = slice(start, start + _BATCH)
        rows = search(tf.constant(queries.embeddings[part])).numpy()
        own = np.array([row_of.get(identity, -1) for identity in queries.ids[part]])
        for exact, found, itself in zip(neighbours.rows[part], rows, own, strict=True):
            exact = exact[exact >= 0]
            hits += int(np.isin(exact, found[found != itself][:k]).sum())
            total += len(exact)
    return hits / total if total else math.nan
