"""Everything one wants to know of a set of embeddings: means with intervals, classes, queries.

Not the definitions (`metrics.py`, `knn.py`, `verification.py`, `clustering.py`) nor the intervals
(`confidence.py`): here they are brought together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from retrieval import clustering, verification
from retrieval.confidence import Interval, bootstrap_mean, class_balanced_mean
from retrieval.knn import knn_accuracy
from retrieval.metrics import per_query_metrics

# False match rates at which misses are given.
FALSE_MATCH_RATES = (0.01, 0.001)


@dataclasses.dataclass(frozen=True)
class Embeddings:
    """Embeddings with what is known of their images.

    Attributes:
        vectors: [N, D] real numbers.
        labels: [N] integers or strings.
        ids: [N] integers or strings, each once.
    """

    vectors: npt.NDArray[np.generic]
    labels: npt.NDArray[np.generic]
    ids: npt.NDArray[np.generic]


@dataclasses.dataclass(frozen=True)
class ClassResult:
    """How the queries of a class fare.

    Attributes:
        label: The class.
        queries: How many of its queries have a relevant item.
        recall_at_1: Mean over them.
        map_at_r: Mean over them.
    """

    label: str
    queries: int
    recall_at_1: float
    map_at_r: float


@dataclasses.dataclass(frozen=True)
class QueryResult:
    """How a query fares.

    Attributes:
        id: Of the image.
        label: Its class.
        first_relevant_rank: Rank of the nearest item of its class, from 1.
        map_at_r: See `metrics.py`.
    """

    id: str
    label: str
    first_relevant_rank: int
    map_at_r: float


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    Attributes:
        queries: How many there are.
        without_relevant: How many of them have no relevant item; no mean counts them.
        gallery: Number of items that were searched.
        means: By metric, the mean over queries with its interval.
        balanced: By metric, the mean over classes of the mean over queries.
        knn_accuracy: By k.
        pairs: `area_under_roc`, `average_precision` and, by false match rate, FNMR and threshold.
        clusters: `nmi` and `ami` of k-means and of the nearest class centers, by method.
        classes: Of each class, worst first.
        hardest: The queries that fare worst, worst first.
    """

    queries: int
    without_relevant: int
    gallery: int
    means: dict[str, Interval]
    balanced: dict[str, float]
    knn_accuracy: dict[int, float]
    pairs: dict[str, float]
    clusters: dict[str, dict[str, float]]
    classes: list[ClassResult]
    hardest: list[QueryResult]


def evaluate(
    queries: Embeddings,
    gallery: Embeddings | None = None,
    *,
    ks: Sequence[int] = (1, 5, 10),
    hardest: int = 10,
    confidence: float = 0.95,
    seed: int = 0,
) -> Evaluation:
    """Evaluates queries against a gallery, or among themselves, leave-one-out.

    Args:
        queries: What is asked.
        gallery: What is searched, other images than the queries; None for the queries themselves,
            each left out of its own answer by id.
        ks: Cut-offs; k-NN accuracy takes them too.
        hardest: How many of the worst queries are named.
        confidence: Of the intervals.
        seed: Of the bootstrap and of k-means.

    Returns:
        See `Evaluation`.

    Raises:
        ValueError: Wrong shapes, NaN or infinity, a k < 1, no query at all, an id that occurs
            twice (it is named).
        TypeError: Labels or ids are floats, or bytes on one side and str on the other.

    >>> rows = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]])
    >>> found = evaluate(Embeddings(rows, np.array(["a", "a", "b", "b"]), np.arange(4)), ks=(1,))
    >>> found.means["recall_at_1"].mean, found.classes[0].queries, found.pairs["area_under_roc"]
    (1.0, 2, 1.0)
    """
    if not len(queries.vectors):
        raise ValueError("there is no query to evaluate")
    ids = np.concatenate([queries.ids, gallery.ids]) if gallery else queries.ids
    unique, counts = np.unique(ids, return_counts=True)
    if counts.max() > 1:
        raise ValueError(f"the id {unique[counts.argmax()]} occurs more than once")
    searched = gallery or queries
    values = per_query_metrics(
        queries.vectors,
        queries.labels,
        queries.ids,
        searched.vectors,
        searched.labels,
        searched.ids,
        ks if 1 in ks else (1, *ks),
    )
    answered = ~np.isnan(values["map_at_r"])
    others = (gallery.vectors, gallery.labels) if gallery else (None, None)
    pairs = verification.pair_scores(queries.vectors, queries.labels, *others)
    number_of_classes = len(np.unique(queries.labels))
    return Evaluation(
        queries=len(answered),
        without_relevant=int((~answered).sum()),
        gallery=len(searched.vectors),
        means={
            name: bootstrap_mean(value, confidence=confidence, seed=seed)
            for name, value in values.items()
        },
        balanced={
            name: class_balanced_mean(value, queries.labels) for name, value in values.items()
        },
        knn_accuracy={k: knn_accuracy(queries.vectors, queries.labels, *others, k=k) for k in ks},
        pairs=_of_pairs(pairs),
        clusters={
            "k-means": clustering.agreement(
                queries.labels,
                clustering.kmeans_clusters(queries.vectors, number_of_classes, seed=seed),
            ),
            "nearest class center": clustering.agreement(
                np.unique(queries.labels, return_inverse=True)[1],
                clustering.nearest_center_clusters(queries.vectors, queries.labels),
            ),
        },
        classes=_by_class(queries.labels, values, answered),
        hardest=_hardest(queries, values, hardest),
    )


def _of_pairs(pairs: verification.PairScores) -> dict[str, float]:
    found = {
        "area_under_roc": verification.area_under_roc(pairs),
        "average_precision": verification.average_precision(pairs),
    }
    for rate in FALSE_MATCH_RATES:
        misses, threshold = verification.fnmr_at_fmr(pairs, rate)
        found[f"fnmr_at_fmr_{rate:g}"] = misses
        found[f"threshold_at_fmr_{rate:g}"] = threshold
    return found


def _by_class(
    labels: npt.NDArray[np.generic],
    values: dict[str, npt.NDArray[np.float64]],
    answered: npt.NDArray[np.bool_],
) -> list[ClassResult]:
    results = []
    for label in np.unique(labels[answered]):
        rows = answered & (labels == label)
        recall, precise = (float(values[name][rows].mean()) for name in ("recall_at_1", "map_at_r"))
        results.append(ClassResult(str(label), int(rows.sum()), recall, precise))
    return sorted(results, key=lambda result: (result.recall_at_1, result.map_at_r, result.label))


def _hardest(
    queries: Embeddings, values: dict[str, npt.NDArray[np.float64]], count: int
) -> list[QueryResult]:
    reciprocal, precise = values["mean_reciprocal_rank"], values["map_at_r"]
    # NaN is sorted behind all others.
    order = np.lexsort((precise, reciprocal))[: min(count, int((~np.isnan(precise)).sum()))]
    return [
        QueryResult(
            str(queries.ids[row]),
            str(queries.labels[row]),
            round(1.0 / reciprocal[row]),
            float(precise[row]),
        )
        for row in order
    ]
