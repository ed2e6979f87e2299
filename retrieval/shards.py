"""Ranks of relevant items from a gallery in shards: each shard is counted by itself.

The rank of an item is 1 plus the number of items ahead of it, and these add up over the shards of a
gallery. Not the transport of rows between workers (Beam's business), nor ranking where everything
fits into one memory (`ranks.py`): the ranks are the same, if items there are in the order of their
keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from retrieval import rows as unit
from retrieval.ranks import (
    MOST_QUERIES,
    RelevantRanks,
    count_ahead,
    exact_scores,
    of_sorted,
)
from retrieval.search import top_k

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

# Scores that are computed at a time.
_ELEMENTS = 4_000_000


class Rows(NamedTuple):
    """Embeddings of some images.

    Attributes:
        keys: Identity of each, and its place among equal scores, int64 [B]; see `identity_keys`.
        labels: int64 [B].
        vectors: Unit rows, float32 [B, D].
    """

    keys: Ints
    labels: Ints
    vectors: Floats

    def take(self, which: npt.NDArray[np.generic]) -> Rows:
        """Some of the rows."""
        return Rows(*(values[which] for values in self))


class Relevant(NamedTuple):
    """The relevant items of some queries, best first.

    Attributes:
        counts: How many each query has, int64 [B].
        scores: Query by query, float32 [P].
        keys: Identity of the items, int64 [P].
    """

    counts: Ints
    scores: Floats
    keys: Ints


def identity_keys(ids: Iterable[bytes | str]) -> Ints:
    """Integers in the place of ids, the same everywhere: 8 bytes of their BLAKE2 digests.

    Two of a million ids have the same with a probability of 3e-8; `sorted_shard` finds them out.

    Args:
        ids: [B]; bytes and the str that they encode in UTF-8 are the same id.

    Returns:
        int64 [B].

    >>> keys = identity_keys(["a.jpg", b"a.jpg", "b.jpg"])
    >>> bool(keys[0] == keys[1]), bool(keys[0] == keys[2])
    (True, False)
    """
    digests = b"".join(
        hashlib.blake2b(value.encode() if isinstance(value, str) else value, digest_size=8).digest()
        for value in ids
    )
    return np.frombuffer(digests, "<i8").astype(np.int64)


def shard_of(keys: Ints, shards: int) -> Ints:
    """Which of so many shards each key belongs to; they get about as many keys each.

    >>> shard_of(np.array([-(2**63), -1, 0, 2**63 - 1]), 2).tolist()
    [0, 0, 1, 1]
    """
    # The upper half of the key decides: 2**32 steps, far more than shards.
    return ((keys >> 32) + 2**31) * shards >> 32


def places_of_lists(begin: Ints, counts: Ints) -> Ints:
    """Where the entries of lists lie that begin at given places.

    >>> places_of_lists(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    return np.repeat(begin, counts) + unit.within_group(counts)


def sorted_shard(pieces: Iterable[Rows], dim: int) -> Rows:
    """Puts the rows of a shard together, ascending by key.

    Args:
        pieces: Any number of them.
        dim: D, for the case that there is none.

    Raises:
        ValueError: A key occurs twice: the id it stands for does, or two ids have the same.
    """
    listed = list(pieces) or [
        Rows(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, dim), np.float32))
    ]
    whole = Rows(*(np.concatenate(parts) for parts in zip(*listed, strict=True)))
    whole = whole.take(np.argsort(whole.keys))
    twice = np.flatnonzero(whole.keys[1:] == whole.keys[:-1])
    if twice.size:
        raise ValueError(
            f"two images of the gallery have the same identity (key {whole.keys[twice[0]]}, "
            f"labels {whole.labels[twice[0]]} and {whole.labels[twice[0] + 1]}); ids must be unique"
        )
    return whole


def relevant_of_class(queries: Rows, gallery: Rows) -> Relevant:
    """The relevant items of queries of one class: all of that class in the gallery but themselves.

    Args:
        queries: Of the class, B of them.
        gallery: Of the class, ascending by key.

    >>> rows = Rows(np.arange(3), np.zeros(3, int), np.eye(3, dtype=np.float32)[[0, 1, 0]])
    >>> relevant_of_class(rows.take(np.array([0])), rows).keys.tolist()
    [2, 1]
    """
    step = max(1, _ELEMENTS // max(1, len(gallery.keys)))
    counts, scores, keys = [], [], []
    for start in range(0, len(queries.keys), step):
        own = queries.take(np.arange(start, min(start + step, len(queries.keys))))
        found = exact_scores(own.vectors, gallery.vectors, None)
        ranked = np.argsort(-found, axis=1, kind="stable")
        other = gallery.keys[ranked] != own.keys[:, None]
        counts.append(other.sum(axis=1))
        scores.append(np.take_along_axis(found, ranked, axis=1)[other])
        keys.append(gallery.keys[ranked][other])
    return Relevant(np.concatenate(counts), np.concatenate(scores), np.concatenate(keys))


def ahead_in_shard(queries: Rows, relevant: Relevant, shard: Rows) -> Ints:
    """How many rows of a shard come before each relevant item, int64 [P].

    Args:
        queries: B of them.
        relevant: Theirs.
        shard: Of `sorted_shard`.
    """
    counts = np.zeros(len(relevant.keys), np.int64)
    if not len(counts):
        return counts
    query = np.repeat(np.arange(len(queries.keys)), relevant.counts)
    place = np.searchsorted(shard.keys, relevant.keys)
    step = int(np.clip(_ELEMENTS // max(1, len(shard.keys)), 1, MOST_QUERIES))
    for start in range(0, len(queries.keys), step):
        own = queries.take(np.arange(start, min(start + step, len(queries.keys))))
        excluded = unit.equal_pairs(own.keys, shard.keys)
        scores = exact_scores(own.vectors, shard.vectors, excluded)
        mine = slice(*np.searchsorted(query, [start, start + step]))
        counts[mine] = count_ahead(scores, query[mine] - start, relevant.scores[mine], place[mine])
    return counts


def nearest_in_shard(queries: Rows, shard: Rows, k: int) -> tuple[Floats, Ints]:
    """Scores and keys of the k nearest rows of a shard, [B, k]; -inf and -1 where it has fewer.

    Args:
        queries: B of them, each left out of its own answer.
        shard: Of `sorted_shard`.
        k: How many.
    """
    scores, indices = top_k(
        queries.vectors,
        shard.vectors,
        k,
        query_ids=queries.keys,
        gallery_ids=shard.keys,
        # Normalised once more, unit rows would no longer be quite the same.
        metric="dot",
    )
    known = shard.keys if len(shard.keys) else np.full(1, -1)
    return scores, np.where(indices < 0, -1, known[indices])


def merge_nearest(
    scores_a: Floats, keys_a: Ints, scores_b: Floats, keys_b: Ints
) -> tuple[Floats, Ints]:
    """The k nearest of two shards' k nearest, [B, k]: higher score first, then lower key."""
    k = scores_a.shape[1]
    scores = np.concatenate([scores_a, scores_b], axis=1)
    keys = np.concatenate([keys_a, keys_b], axis=1)
    ranked = np.lexsort((keys, -scores), axis=1)[:, :k]
    return np.take_along_axis(scores, ranked, 1), np.take_along_axis(keys, ranked, 1)


def ranks_of(sizes: Ints, ahead: Ints) -> RelevantRanks:
    """Ranks from the counts of all shards together.

    Args:
        sizes: How many relevant items each query has, [B].
        ahead: What is ahead of each, best first, query by query, [P].
    """
    return of_sorted(np.repeat(np.arange(len(sizes)), sizes), 1 + ahead, len(sizes))
