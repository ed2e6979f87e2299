"""Ranks of the relevant items among the first of each query's ranking, by search.

Not for metrics that go through the whole ranking: `ranks.py`, which costs several times as much.
Of what lies further down only the rank of the nearest relevant item is found, by counting what is
ahead of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from retrieval import order, rows, similarity
from retrieval.parallel import cores, in_threads
from retrieval.ranks import MOST_THREADS, Comparison, RelevantRanks, of_sorted
from retrieval.screen import Float32Screen
from retrieval.search import nearest_blocks
from retrieval.similarity import Floats

Ints = npt.NDArray[np.int64]
Codes = tuple[Ints, Ints]

_QUERY_BLOCK, _GALLERY_BLOCK = 256, 8192


def relevant_counts(labels: Codes, ids: Codes | None) -> Ints:
    """R: how many gallery items have each query's label and another id, int64 [Q].

    Args:
        labels: Of queries and gallery, see `rows.paired_codes`.
        ids: Likewise, or None to exclude nothing.

    >>> relevant_counts((np.array([5, 6]), np.array([5, 5, 7])), None).tolist()
    [2, 0]
    """
    known = np.sort(labels[1])
    left, right = (np.searchsorted(known, labels[0], side) for side in ("left", "right"))
    counts = right - left
    if ids is not None:
        query, item = rows.equal_pairs(*ids)
        same = labels[0][query] == labels[1][item]
        counts = counts - np.bincount(query[same], minlength=len(counts))
    return counts.astype(np.int64)


def leading_ranks(compared: Comparison, depth: int, *, memory_mb: float) -> Iterator[RelevantRanks]:
    """Ranks up to `depth` of the gallery items with a query's label, some queries at a time.

    Ranks are those of `ranks.relevant_ranks`.

    Args:
        compared: Queries and gallery.
        depth: The largest rank wanted, at least 1.
        memory_mb: See `search.top_k`.

    Yields:
        The ranks of consecutive queries, counted from 0 each time; `relevant` counts all relevant
        items, and `nearest` is 0 where the nearest lies further down.

    >>> rows = np.eye(3, dtype=np.float32)[[0, 1, 0]]
    >>> codes = np.array([1, 2, 1]), np.array([1, 2, 1])
    >>> compared = Comparison(rows, rows, codes, (np.arange(3), np.arange(3)))
    >>> [(part.query.tolist(), part.rank.tolist()) for part in leading_ranks(
    ...     compared, 1, memory_mb=9)]
    [([0, 2], [1, 1])]
    """
    queries, gallery, labels, ids = compared
    relevant = relevant_counts(labels, ids)
    own, others = ids or (None, None)
    for block in nearest_blocks(
        queries,
        gallery,
        depth,
        query_ids=own,
        gallery_ids=others,
        # Normalised once more, unit rows would no longer be quite the same.
        metric="dot",
        memory_mb=memory_mb,
    ):
        # Of an empty gallery there is nothing to be looked up.
        known = labels[1] if len(gallery) else np.zeros(1, np.int64)
        same = known[block.indices] == labels[0][block.queries][:, None]
        query, place = np.nonzero(same & (block.indices >= 0))
        found = of_sorted(query, place + 1, len(same))
        yield found._replace(relevant=relevant[block.queries])


def nearest_ranks(compared: Comparison) -> Ints:
    """The rank of each query's nearest relevant item, int64 [Q].

    Args:
        compared: Queries with at least one relevant item each, and gallery.

    >>> rows = np.eye(3, dtype=np.float32)
    >>> compared = Comparison(rows[:1], rows, (np.array([7]), np.array([1, 2, 7])), None)
    >>> nearest_ranks(compared).tolist()  # ahead of it: the query's double, and what ties
    [3]
    """
    queries, gallery, labels, ids = compared
    block_rows = min(_GALLERY_BLOCK, 1 << max(len(gallery) - 1, 0).bit_length())
    screen = Float32Screen(queries, gallery, "cosine", block_rows)

    def count(start: int) -> Ints:
        part = slice(start, min(start + _QUERY_BLOCK, len(queries)))
        own = queries[part]
        own_ids = (ids[0][part], ids[1]) if ids is not None else None
        best = _nearest_relevant(own, gallery, (labels[0][part], labels[1]), own_ids)
        score = order.unpacked(best)[0].astype(np.float64)
        error = screen.error[part]
        low, high = (_outwards(score + sign * error, sign) for sign in (-1, 1))
        ahead, buffer = np.zeros(len(own), np.int64), None
        for block, first in enumerate(range(0, len(gallery), block_rows)):
            buffer = screen.scores(screen.query_rows(part), block, buffer)
            if own_ids is not None:
                items = own_ids[1][first : first + block_rows]
                buffer[rows.equal_pairs(own_ids[0], items)] = -np.inf
            surely = buffer > high[:, None]
            ahead += np.count_nonzero(surely, axis=1)
            query, item = np.nonzero((buffer >= low[:, None]) & ~surely)
            item += first
            keys = _pair_keys(own, gallery, query, item)
            ahead += np.bincount(query[keys < best[query]], minlength=len(own))
        return ahead + 1

    parts = in_threads(count, range(0, len(queries), _QUERY_BLOCK), min(cores(), MOST_THREADS))
    return np.concatenate([np.empty(0, np.int64), *parts])


def _outwards(values: npt.NDArray[np.float64], sign: int) -> Floats:
    """Rounds to float32, downwards or upwards."""
    return np.nextafter(values.astype(np.float32), np.float32(sign * np.inf))


def _nearest_relevant(queries: Floats, gallery: Floats, labels: Codes, ids: Codes | None) -> Ints:
    """Keys (`order.packed`) of the queries' nearest relevant items, [B]."""
    query, item = rows.equal_pairs(*labels)
    if ids is not None:
        other = ids[0][query] != ids[1][item]
        query, item = query[other], item[other]
    keys = _pair_keys(queries, gallery, query, item)
    return np.minimum.reduceat(keys, np.searchsorted(query, np.arange(len(queries))))


def _pair_keys(queries: Floats, gallery: Floats, query: Ints, item: Ints) -> Ints:
    """Keys (`order.packed`) of pairs, [P]."""
    keys = np.empty(len(query), np.int64)
    step = max(1, similarity.CACHED_ELEMENTS // queries.shape[1])
    for start in range(0, len(query), step):
        part = slice(start, start + step)
        scores = similarity.pair_scores(
            queries[query[part]], gallery[item[part]][:, None], "cosine"
        )
        keys[part] = order.packed(scores[:, 0], item[part])
    return keys
