"""Exact k-nearest-neighbour search in NumPy, with bounded memory.

Not for metrics (`metrics.py`), nor for a served graph (`tf_search.py`, which gives the same
answers). Nothing here is approximate: use it up to some millions of rows.

Blocks of queries meet blocks of the gallery in a fast product that may be a little wrong
(`screen.py`). What lies above the k-th best so far, or below it by no more than the proven error,
becomes a candidate (`candidates.py`), and candidates alone are scored exactly (`similarity.py`).
The rare query with too many near ties to list is searched again with a finer screen, and at last
with exact scores only (`block_search.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from retrieval import order, rows, similarity
from retrieval.block_search import BlockSearch, Nearest, plan
from retrieval.parallel import cores, in_threads
from retrieval.screen_choice import ScreenName
from retrieval.similarity import Floats, Similarity

Ints = npt.NDArray[np.int64]

# Memory below which blocks become too small for another thread to help.
_THREAD_MB = 32


def top_k(
    queries: npt.ArrayLike,
    gallery: npt.ArrayLike,
    k: int,
    *,
    query_ids: npt.ArrayLike | None = None,
    gallery_ids: npt.ArrayLike | None = None,
    metric: Similarity = "cosine",
    memory_mb: float = 256,
    screen: ScreenName = "auto",
) -> tuple[Floats, Ints]:
    """The k gallery rows nearest to each query, best first.

    For the cosine, rows are L2-normalised here; a row of zeros has cosine 0 with everything. Equal
    scores rank by lower gallery index. A pair with equal ids is excluded, so leave-one-out search
    is `top_k(x, x, k, query_ids=ids, gallery_ids=ids)`. Where fewer than k rows remain, the rest of
    the row is score -inf, index -1. Memory, threads and screen change no bit of the result.

    Args:
        queries: [Q, D] real numbers.
        gallery: [N, D] real numbers; N may be 0.
        k: How many neighbours, at least 1.
        query_ids: [Q] integers or strings; given together with `gallery_ids` or not at all.
        gallery_ids: [N], likewise.
        metric: What is compared, see `similarity.py`; scores of "squared_euclidean" are negative
            squared distances.
        memory_mb: Working memory in megabytes beyond the result and the rows in the formats that
            are compared: 8 bytes an entry, 6 with bfloat16.
        screen: Format of the fast products; "auto" measures which is faster.

    Returns:
        (scores, indices): float32 and int64, both [Q, k].

    Raises:
        ValueError: k < 1, too little memory, an unknown name, wrong shapes, different dims, NaN or
            infinity in a row (it is named), or ids for one side only.
        TypeError: ids that are floats, or bytes on one side and str on the other.

    >>> scores, indices = top_k([[1, 0]], [[0, 1], [2, 0], [1, 1]], k=2)
    >>> indices.tolist(), scores.round(3).tolist()
    ([[1, 2]], [[1.0, 0.7070000171661377]])
    >>> top_k([[1, 0]], [[0, 1], [2, 0]], k=2, query_ids=["b"], gallery_ids=["a", "b"])[1].tolist()
    [[0, -1]]
    >>> top_k([[1, 0]], [[0, 1], [2, 0], [1, 1]], k=2, metric="squared_euclidean")[0].tolist()
    [[-1.0, -1.0]]
    """
    blocks = nearest_blocks(
        queries,
        gallery,
        k,
        query_ids=query_ids,
        gallery_ids=gallery_ids,
        metric=metric,
        memory_mb=memory_mb,
        screen=screen,
    )
    count = len(np.asarray(queries))
    scores, indices = np.empty((count, k), np.float32), np.empty((count, k), np.int64)
    for part, block_scores, block_indices in blocks:
        scores[part], indices[part] = block_scores, block_indices
    return scores, indices


def nearest_blocks(
    queries: npt.ArrayLike,
    gallery: npt.ArrayLike,
    k: int,
    *,
    query_ids: npt.ArrayLike | None = None,
    gallery_ids: npt.ArrayLike | None = None,
    metric: Similarity = "cosine",
    memory_mb: float = 256,
    screen: ScreenName = "auto",
) -> Iterator[Nearest]:
    """`top_k` a block of queries at a time, in their order, for results too large to be kept."""
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if (query_ids is None) != (gallery_ids is None):
        raise ValueError("query_ids and gallery_ids must be given together")
    left, right = similarity.comparable_rows(queries, gallery, metric)
    if len(right) >= order.NONE:
        raise ValueError(f"the gallery has {len(right)} rows, more than {order.NONE - 1}")
    codes = None
    if query_ids is not None and gallery_ids is not None:
        codes = rows.paired_codes(query_ids, gallery_ids, len(left), len(right), "ids")
    threads = int(np.clip(memory_mb / _THREAD_MB, 1, cores()))
    sizes = plan(len(left), len(right), k, memory_mb * 1e6 / threads)
    blocks = BlockSearch(left, right, codes, k, metric, sizes, screen)
    return in_threads(blocks.search, range(0, len(left), sizes.query_rows), threads)
