"""Verification: how well a score's threshold tells pairs of one class from pairs of two.

Not for ranking metrics (`metrics.py`), which compare the scores of one query only: here the scores
of all pairs are compared with one threshold, as a served match flag does.

Pairs of one class are called genuine, the others impostors. Their scores go into two histograms
with the same bins: memory does not grow with the number of pairs, histograms of parts add up, and
every curve is read from them. A threshold is a bin's lower edge, and pairs at or above it match.
The bins are so narrow (2⁻¹⁵ of cosine) that what they merge makes no difference in practice; what
is computed is exact for scores rounded down to the bins.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from retrieval import rows

BINS = 2**16
_BLOCK_ROWS = 1024


class PairScores(NamedTuple):
    """Histograms of cosines of pairs.

    Attributes:
        genuine: Pairs of one class in each bin, int64, [BINS].
        impostor: Pairs of two classes in each bin, int64, [BINS].
    """

    genuine: npt.NDArray[np.int64]
    impostor: npt.NDArray[np.int64]

    def __add__(self, other: object) -> PairScores:
        """The histograms of both sets of pairs together."""
        if not isinstance(other, PairScores):
            return NotImplemented
        return PairScores(self.genuine + other.genuine, self.impostor + other.impostor)


class Roc(NamedTuple):
    """Error rates by threshold, thresholds descending, both ends included.

    Attributes:
        threshold: Lowest score that matches, float64, [T]; the first, +inf, matches nothing.
        false_match_rate: Share of impostors that match (FMR, the false positive rate).
        false_non_match_rate: Share of genuine pairs that do not (FNMR, 1 − true positive rate).
    """

    threshold: npt.NDArray[np.float64]
    false_match_rate: npt.NDArray[np.float64]
    false_non_match_rate: npt.NDArray[np.float64]


def pair_scores(
    query_embeddings: npt.ArrayLike,
    query_labels: npt.ArrayLike,
    gallery_embeddings: npt.ArrayLike | None = None,
    gallery_labels: npt.ArrayLike | None = None,
) -> PairScores:
    """Histograms of the cosines of all pairs of a query and a gallery item.

    Args:
        query_embeddings: [Q, D] real numbers.
        query_labels: [Q] integers or strings.
        gallery_embeddings: [N, D]; None for each unordered pair of two queries, once.
        gallery_labels: [N]; given together with `gallery_embeddings`.

    Returns:
        See `PairScores`.

    Raises:
        ValueError: A gallery without labels or the reverse, and what `rows.unit_rows` raises.
        TypeError: Labels are floats, or bytes on one side and str on the other.

    >>> histograms = pair_scores([[1, 0], [1, 0.1], [0, 1]], ["a", "a", "b"])
    >>> int(histograms.genuine.sum()), int(histograms.impostor.sum())
    (1, 2)
    """
    if (gallery_embeddings is None) != (gallery_labels is None):
        raise ValueError("gallery_embeddings and gallery_labels must be given together")
    among_queries = gallery_embeddings is None
    if gallery_embeddings is None or gallery_labels is None:
        gallery_embeddings, gallery_labels = query_embeddings, query_labels
    queries, gallery = rows.paired_unit_rows(query_embeddings, gallery_embeddings)
    codes = rows.paired_codes(query_labels, gallery_labels, len(queries), len(gallery), "labels")
    counts = np.zeros(2 * BINS, np.int64)
    for start in range(0, len(queries), _BLOCK_ROWS):
        for first in range(start if among_queries else 0, len(gallery), _BLOCK_ROWS):
            part = slice(start, start + _BLOCK_ROWS), slice(first, first + _BLOCK_ROWS)
            bins = bins_of(rows.exact_scores(queries[part[0]], gallery[part[1]]))
            # Genuine pairs are counted behind the impostors.
            bins[codes[0][part[0]][:, None] == codes[1][part[1]]] += BINS
            if among_queries and start == first:
                bins = bins[np.triu_indices(len(bins), 1)]
            counts += np.bincount(bins.reshape(-1), minlength=2 * BINS)
    return PairScores(counts[BINS:], counts[:BINS])


def bins_of(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """The bin of each cosine; 1 lies in the last, and rounding does not lead out of them.

    >>> bins_of(np.float32([-1.0, 0.0, 0.99999, 1.0])).tolist()
    [0, 32768, 65535, 65535]
    """
    return np.clip(np.floor((scores.astype(np.float64) + 1.0) * (BINS / 2)), 0, BINS - 1).astype(
        np.int64
    )


def roc(scores: PairScores) -> Roc:
    """The receiver operating characteristic, as error rates.

        FMR(t) = #{impostors with score ≥ t} / #impostors
        FNMR(t) = #{genuine pairs with score < t} / #genuine pairs

    Only thresholds at which something changes are given. Rates of a kind of which there are no
    pairs are NaN.

    >>> curve = roc(pair_scores([[1, 0], [1, 0.1], [0, 1]], ["a", "a", "b"]))
    >>> curve.false_match_rate.tolist(), curve.false_non_match_rate.tolist()
    ([0.0, 0.0, 0.5, 1.0], [1.0, 0.0, 0.0, 0.0])
    """
    used = np.flatnonzero(scores.genuine + scores.impostor)[::-1]
    threshold = np.concatenate([[np.inf], used * (2.0 / BINS) - 1.0])
    with np.errstate(invalid="ignore"):
        false_match, match = (
            np.concatenate([[0.0], np.cumsum(counts[used])]) / counts.sum()
            for counts in (scores.impostor, scores.genuine)
        )
    return Roc(threshold, false_match, 1.0 - match)


def area_under_roc(scores: PairScores) -> float:
    """The probability that a genuine pair scores above an impostor, ties counting half.

    NaN without pairs of both kinds (Hanley and McNeil, Radiology 1982).

    >>> area_under_roc(pair_scores([[1, 0], [1, 0.1], [0, 1]], ["a", "a", "b"]))
    1.0
    """
    curve = roc(scores)
    matches = 1.0 - curve.false_non_match_rate
    return float((np.diff(curve.false_match_rate) * (matches[1:] + matches[:-1]) / 2.0).sum())


def fnmr_at_fmr(scores: PairScores, false_match_rate: float) -> tuple[float, float]:
    """The lowest FNMR of the thresholds whose FMR is at most the given one, and its threshold.

    The figure of merit of NIST's face recognition evaluations. No rate between two thresholds is
    interpolated: what is returned can be set up. (NaN, NaN) without pairs of both kinds.

    Args:
        scores: Of `pair_scores`.
        false_match_rate: 0 … 1; nothing but 0 makes sense where there are fewer than 1 / rate
            impostors.

    Returns:
        (FNMR, threshold); threshold +inf where every other lets more impostors match.

    Raises:
        ValueError: The rate is out of range.

    >>> histograms = pair_scores([[1, 0], [1, 0.1], [0, 1]], ["a", "a", "b"])
    >>> rate, threshold = fnmr_at_fmr(histograms, 0.1)
    >>> rate, round(threshold, 3)
    (0.0, 0.995)
    """
    if not 0.0 <= false_match_rate <= 1.0:
        raise ValueError(f"false_match_rate must be in [0, 1], got {false_match_rate}")
    curve = roc(scores)
    if not (scores.genuine.any() and scores.impostor.any()):
        return float("nan"), float("nan")
    allowed = np.flatnonzero(curve.false_match_rate <= false_match_rate)
    # FNMR falls with the threshold; of equal ones the highest threshold is the safest.
    lowest = curve.false_non_match_rate[allowed[-1]]
    best = allowed[np.flatnonzero(curve.false_non_match_rate[allowed] == lowest)[0]]
    return float(lowest), float(curve.threshold[best])


def precision_recall(
    scores: PairScores,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Precision and recall of the pairs that match, by threshold.

        precision(t) = #{genuine with score ≥ t} / #{pairs with score ≥ t}
        recall(t) = #{genuine with score ≥ t} / #genuine

    Precision depends on how many impostors there are for each genuine pair, which grows with the
    number of classes: it cannot be compared between datasets.

    Returns:
        (threshold, precision, recall), thresholds descending, those at which something matches.
        Without genuine pairs recall is NaN.

    >>> threshold, precision, recall = precision_recall(
    ...     pair_scores([[1, 0], [1, 0.1], [0, 1]], ["a", "a", "b"]))
    >>> precision.round(2).tolist(), recall.tolist()
    ([1.0, 0.5, 0.33], [1.0, 1.0, 1.0])
    """
    curve = roc(scores)
    used = np.flatnonzero(scores.genuine + scores.impostor)[::-1]
    matched = np.cumsum(scores.genuine[used])
    total = np.cumsum((scores.genuine + scores.impostor)[used])
    return curve.threshold[1:], matched / total, 1.0 - curve.false_non_match_rate[1:]


def average_precision(scores: PairScores) -> float:
    """Precision averaged over genuine pairs, each at its own score: Σ (recall step) · precision.

    Not `mean_average_precision` of `metrics.py`, which averages over queries. NaN without genuine
    pairs.

    >>> average_precision(pair_scores([[1, 0], [1, 0.1], [0, 1]], ["a", "a", "b"]))
    1.0
    """
    _, precision, recall = precision_recall(scores)
    return float((np.diff(recall, prepend=0.0) * precision).sum())
