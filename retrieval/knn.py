"""Accuracy of the classifier that asks a query's nearest neighbours.

Not for ranking metrics (`metrics.py`): a query without a relevant item has a value here, since it
is answered, and wrongly.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from retrieval import rows
from retrieval.search import top_k


def knn_accuracy(
    query_embeddings: npt.ArrayLike,
    query_labels: npt.ArrayLike,
    gallery_embeddings: npt.ArrayLike | None = None,
    gallery_labels: npt.ArrayLike | None = None,
    *,
    k: int = 5,
) -> float:
    """Share of the queries whose label most of their k nearest neighbours have.

        accuracy = #{q : argmax_c #{neighbours of q with label c} = label of q} / Q

    Of labels with equally many votes the one wins whose first neighbour is nearer. With k = 1 this
    is recall@1, over all queries.

    Args:
        query_embeddings: [Q, D] real numbers.
        query_labels: [Q] integers or strings.
        gallery_embeddings: [N, D]; None for leave-one-out, each query left out of its own votes.
        gallery_labels: [N]; given together with `gallery_embeddings`.
        k: Neighbours that vote, at least 1; where there are fewer, all do.

    Returns:
        The accuracy; NaN without a query or a neighbour.

    Raises:
        ValueError: A gallery without labels or the reverse, and what `top_k` raises.
        TypeError: Labels are floats, or bytes on one side and str on the other.

    >>> knn_accuracy([[1, 0], [0, 1]], ["a", "b"], [[1, 0], [1, 0.2], [1, 0.1]], ["a", "b", "b"])
    0.5
    """
    if (gallery_embeddings is None) != (gallery_labels is None):
        raise ValueError("gallery_embeddings and gallery_labels must be given together")
    ids = None
    if gallery_embeddings is None or gallery_labels is None:
        gallery_embeddings, gallery_labels = query_embeddings, query_labels
        ids = np.arange(len(np.asarray(query_labels)))
    queries, gallery = np.asarray(query_embeddings), np.asarray(gallery_embeddings)
    own, others = rows.paired_codes(
        query_labels, gallery_labels, len(queries), len(gallery), "labels"
    )
    if not len(own) or len(others) <= (ids is not None):
        return float("nan")
    _, found = top_k(
        query_embeddings, gallery_embeddings, min(k, len(others)), query_ids=ids, gallery_ids=ids
    )
    votes = others[found]
    exists = found >= 0
    # Votes for the label of each neighbour; the first of the largest is the nearest.
    same = (votes[:, :, None] == votes[:, None, :]) & exists[:, None, :]
    counts = np.where(exists, same.sum(axis=2), -1)
    winner = np.take_along_axis(votes, counts.argmax(axis=1)[:, None], axis=1)[:, 0]
    return float((winner == own).mean())
