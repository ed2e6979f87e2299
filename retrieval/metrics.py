"""Retrieval metrics, each with its formula and its denominator.

Not for finding neighbours (`search.py`). Every metric is a function of the ranks of a query's
relevant items (`ranks.py`): let R be their number and r_1 < r_2 < … < r_R their ranks, from 1.

========================== ============================================= ================
key                        value for one query                           denominator
========================== ============================================= ================
recall_at_{k}              1 if r_1 <= k else 0 (the hit rate)           none
precision_at_{k}           #{j : r_j <= k} / k                           k, always
average_precision_at_{k}   sum of j / r_j over r_j <= k, / min(k, R)     min(k, R)
ndcg_at_{k}                sum of g(r_j) over r_j <= k, / ideal,         ideal
                           g(r) = 1 / log2(1 + r),
                           ideal = sum of g(i) over i <= min(k, R)
r_precision                #{j : r_j <= R} / R                           R
map_at_r                   sum of j / r_j over r_j <= R, / R             R
mean_average_precision     sum of j / r_j over all j, / R                R
mean_reciprocal_rank       1 / r_1, not cut off                          none
========================== ============================================= ================

`r_precision` and `map_at_r` are those of Musgrave et al., "A Metric Learning Reality Check", ECCV
2020; `ndcg_at_{k}` is that of Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR
techniques", TOIS 2002, with gains of 0 and 1; its ideal is over all relevant items, retrieved or
not. Corner cases: precision_at_k cannot reach 1 where R < k, the others can; a gallery smaller than
k counts as padded with irrelevant items; a query with R = 0 has no value (NaN) and is left out of
the means.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from retrieval import leading_ranks
from retrieval.ranks import Comparison, RelevantRanks, comparison, relevant_ranks

CUT_OFF_METRICS = ("recall", "precision", "average_precision", "ndcg")
NEAREST = "mean_reciprocal_rank"
RANKING_METRICS = ("map_at_r", "r_precision", "mean_average_precision", NEAREST)
# Lists as long as this share of the gallery cost as much as whole rankings.
_LIST_SHARE = 8


def metric_names(ks: Sequence[int]) -> list[str]:
    """The keys of all metrics, given the cut-offs.

    Raises:
        ValueError: A k < 1.

    >>> metric_names([1])[:5]
    ['recall_at_1', 'precision_at_1', 'average_precision_at_1', 'ndcg_at_1', 'map_at_r']
    """
    for k in ks:
        if k < 1:
            raise ValueError(f"every k of ks must be at least 1, got {k}")
    return [f"{kind}_at_{k}" for k in ks for kind in CUT_OFF_METRICS] + list(RANKING_METRICS)


def per_query_metrics(
    query_embeddings: npt.ArrayLike,
    query_labels: npt.ArrayLike,
    query_ids: npt.ArrayLike | None,
    gallery_embeddings: npt.ArrayLike,
    gallery_labels: npt.ArrayLike,
    gallery_ids: npt.ArrayLike | None,
    ks: Sequence[int] = (1, 5, 10),
    *,
    names: Collection[str] | None = None,
    memory_mb: float = 256,
) -> dict[str, npt.NDArray[np.float64]]:
    """Metrics of the table above for each query.

    Relevant is what has the query's label. A pair with equal ids is excluded; ties in cosine rank
    by lower gallery index. The values of a query do not depend on the other queries, so a batch of
    queries can be given at a time (the gallery has to be whole). Memory is bounded: no Q x N
    matrix is kept. All but `mean_average_precision` need only the first of each ranking, and
    without it the others come several times as fast.

    Args:
        query_embeddings: [Q, D] real numbers; L2-normalised here, zero rows stay zero.
        query_labels: [Q] integers or strings.
        query_ids: [Q] integers or strings, or None to exclude nothing.
        gallery_embeddings: [N, D].
        gallery_labels: [N].
        gallery_ids: [N]; given together with `query_ids` or not at all.
        ks: The cut-offs of the metrics that have one.
        names: Keys of the metrics wanted; None for all.
        memory_mb: See `search.top_k`.

    Returns:
        By metric, float64, [Q]; NaN where the query has no relevant item.

    Raises:
        ValueError: a k < 1, no name or one that is no key for these ks, too little memory, wrong
            shapes, different dims, NaN or infinity in a row.
        TypeError: labels or ids are floats, or bytes on one side and str on the other.

    >>> values = per_query_metrics([[1, 0], [0, 1]], ["a", "z"], None,
    ...                            [[1, 0], [2, 1], [0, 1]], ["b", "a", "a"], None, ks=(1, 2))
    >>> {name: value.round(4).tolist() for name, value in values.items()}  # ranks 2 and 3; none
    ... # doctest: +NORMALIZE_WHITESPACE
    {'recall_at_1': [0.0, nan], 'precision_at_1': [0.0, nan],
     'average_precision_at_1': [0.0, nan], 'ndcg_at_1': [0.0, nan],
     'recall_at_2': [1.0, nan], 'precision_at_2': [0.5, nan],
     'average_precision_at_2': [0.25, nan], 'ndcg_at_2': [0.3869, nan],
     'map_at_r': [0.25, nan], 'r_precision': [0.5, nan],
     'mean_average_precision': [0.5833, nan], 'mean_reciprocal_rank': [0.5, nan]}
    """
    known = metric_names(ks)
    wanted = known if names is None else [name for name in known if name in names]
    unknown = set(names or ()) - set(known)
    if unknown or not wanted:
        raise ValueError(f"names must be some of {', '.join(known)}; got {sorted(names or ())}")
    compared = comparison(
        query_embeddings,
        query_labels,
        query_ids,
        gallery_embeddings,
        gallery_labels,
        gallery_ids,
    )
    parts, late, first = [], [np.empty(0, np.int64)], 0
    for ranks in _rank_blocks(compared, ks, wanted, memory_mb):
        parts.append(metrics_of_ranks(ranks, ks, wanted))
        late.append(first + np.flatnonzero((ranks.relevant > 0) & (ranks.nearest == 0)))
        first += len(ranks.relevant)
    values = {name: np.concatenate([np.empty(0), *(p[name] for p in parts)]) for name in wanted}
    if NEAREST in wanted:
        which = np.concatenate(late)
        values[NEAREST][which] = 1.0 / _nearest_ranks(compared, which)
    return values


def _rank_blocks(
    compared: Comparison, ks: Sequence[int], names: Collection[str], memory_mb: float
) -> Iterator[RelevantRanks]:
    """As many ranks as the metrics need, some queries at a time."""
    longest = leading_ranks.relevant_counts(compared.labels, compared.ids).max(initial=0)
    depth = max([1, *(k for k in ks for kind in CUT_OFF_METRICS if f"{kind}_at_{k}" in names)])
    if "map_at_r" in names or "r_precision" in names:
        depth = max(depth, int(longest))
    if "mean_average_precision" in names or depth * _LIST_SHARE > len(compared.gallery):
        return relevant_ranks(compared)
    return leading_ranks.leading_ranks(compared, depth, memory_mb=memory_mb)


def _nearest_ranks(compared: Comparison, which: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Ranks of the nearest relevant items of some queries, each of which has one."""
    ids = (compared.ids[0][which], compared.ids[1]) if compared.ids is not None else None
    labels = compared.labels[0][which], compared.labels[1]
    return leading_ranks.nearest_ranks(
        Comparison(compared.queries[which], compared.gallery, labels, ids)
    )


def metrics_of_ranks(
    ranks: RelevantRanks, ks: Sequence[int], names: Collection[str]
) -> dict[str, npt.NDArray[np.float64]]:
    """The metrics of queries whose relevant items' ranks are known.

    Args:
        ranks: Those beyond what the metrics need may be missing.
        ks: The cut-offs of the metrics that have one.
        names: Keys of the metrics wanted.

    Returns:
        By metric, float64, [Q]; NaN where the query has no relevant item.

    >>> one = np.array([1])
    >>> ranks = RelevantRanks(query=np.array([0, 0]), rank=np.array([2, 3]), relevant=one + 1,
    ...                       nearest=one + 1)
    >>> metrics_of_ranks(ranks, [], ["r_precision", NEAREST])
    {'r_precision': array([0.5]), 'mean_reciprocal_rank': array([0.5])}
    """
    query, rank, relevant, nearest = ranks
    counts = np.bincount(query, minlength=len(relevant))
    nth = np.arange(len(query)) - (np.cumsum(counts) - counts)[query] + 1
    size = relevant[query]

    def total(values: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
        sums = np.bincount(query, weights=values, minlength=len(relevant))
        return np.where(relevant > 0, sums, np.nan)

    results = {}
    precision, gain = nth / rank, 1.0 / np.log2(1.0 + rank)
    for k in ks:
        within = rank <= k
        ideal = np.concatenate([[1.0], np.cumsum(1.0 / np.log2(np.arange(2, k + 2)))])
        reachable = np.minimum(k, relevant)
        results[f"recall_at_{k}"] = total((nth == 1) & within)
        results[f"precision_at_{k}"] = total(within) / k
        results[f"average_precision_at_{k}"] = total(precision * within) / np.maximum(reachable, 1)
        # A query without a relevant item is NaN in the numerator; its ideal only must not be 0.
        results[f"ndcg_at_{k}"] = total(gain * within) / ideal[reachable]
    results["map_at_r"] = total(precision * (rank <= size) / size)
    results["r_precision"] = total((rank <= size) / size)
    results["mean_average_precision"] = total(precision / size)
    results[NEAREST] = np.where(relevant > 0, 1.0 / np.maximum(nearest, 1), np.nan)
    return {name: results[name] for name in names}


def retrieval_metrics(
    query_embeddings: npt.ArrayLike,
    query_labels: npt.ArrayLike,
    gallery_embeddings: npt.ArrayLike | None = None,
    gallery_labels: npt.ArrayLike | None = None,
    *,
    ks: Sequence[int] = (1, 5, 10),
    names: Collection[str] | None = None,
    query_ids: npt.ArrayLike | None = None,
    gallery_ids: npt.ArrayLike | None = None,
    memory_mb: float = 256,
) -> dict[str, float]:
    """The means of `per_query_metrics` over the queries that have a relevant item.

    Without a gallery the queries are searched among themselves, leave-one-out: each is excluded
    from its own neighbours by id (its row number, or `query_ids`), never by dropping the nearest.

    Args:
        query_embeddings: [Q, D] real numbers.
        query_labels: [Q] integers or strings.
        gallery_embeddings: [N, D], or None for leave-one-out.
        gallery_labels: [N]; given together with `gallery_embeddings`.
        ks: The cut-offs of the metrics that have one.
        names: Keys of the metrics wanted; None for all.
        query_ids: [Q] integers or strings, or None.
        gallery_ids: [N]; only with a gallery, and together with `query_ids`.
        memory_mb: See `search.top_k`.

    Returns:
        By metric, the mean (NaN if no query has a relevant item); and `queries`, how many there
        are, and `queries_without_relevant`, how many of them are left out of the means.

    Raises:
        ValueError: gallery embeddings without labels or the reverse, `gallery_ids` without a
            gallery, and what `per_query_metrics` raises.
        TypeError: see `per_query_metrics`.

    >>> embeddings = [[1, 0], [1, 0.1], [0, 1], [0.1, 1], [1, 1]]
    >>> m = retrieval_metrics(embeddings, [0, 0, 1, 1, 2], ks=(1,))
    >>> m["recall_at_1"], m["map_at_r"], m["queries"], m["queries_without_relevant"]
    (1.0, 1.0, 5.0, 1.0)
    """
    if (gallery_embeddings is None) != (gallery_labels is None):
        raise ValueError("gallery_embeddings and gallery_labels must be given together")
    if gallery_embeddings is None or gallery_labels is None:
        if gallery_ids is not None:
            raise ValueError("gallery_ids without gallery_embeddings: leave-one-out uses query_ids")
        gallery_embeddings, gallery_labels = query_embeddings, query_labels
        if query_ids is None:
            query_ids = np.arange(len(np.asarray(query_labels)))
        gallery_ids = query_ids
    values = per_query_metrics(
        query_embeddings,
        query_labels,
        query_ids,
        gallery_embeddings,
        gallery_labels,
        gallery_ids,
        ks,
        names=names,
        memory_mb=memory_mb,
    )
    # All are NaN for the same queries.
    answered = ~np.isnan(next(iter(values.values())))
    means = {
        name: float(value[answered].mean()) if answered.any() else float("nan")
        for name, value in values.items()
    }
    return means | {
        "queries": float(len(answered)),
        "queries_without_relevant": float(len(answered) - answered.sum()),
    }
