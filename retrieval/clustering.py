"""How well clusters of embeddings agree with their classes.

Not for search: clusters say whether classes are lumps of their own in the embedding, which a query
does not need. Musgrave et al. ("A Metric Learning Reality Check", ECCV 2020) show that NMI grows
with the number of clusters whatever the embedding; AMI is corrected for that chance.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from retrieval import rows


def kmeans_clusters(
    embeddings: npt.ArrayLike, clusters: int, *, seed: int = 0
) -> npt.NDArray[np.int64]:
    """Assigns unit embeddings to the clusters of k-means (k-means++ and Lloyd, the best of 3).

    Args:
        embeddings: [N, D] real numbers; L2-normalised here.
        clusters: How many, 1 … N.
        seed: Of the first centres.

    Returns:
        Cluster of each row, int64, [N].

    Raises:
        ValueError: More clusters than rows, or what `rows.unit_rows` raises.

    >>> one, other, third = kmeans_clusters([[1, 0], [1, 0.1], [0, 1]], 2).tolist()
    >>> one == other != third
    True
    """
    import sklearn.cluster

    unit = rows.unit_rows(embeddings)
    if not 1 <= clusters <= len(unit):
        raise ValueError(f"clusters must be in 1 … {len(unit)}, the number of rows; got {clusters}")
    means = sklearn.cluster.KMeans(clusters, n_init=3, random_state=seed)
    return means.fit_predict(unit).astype(np.int64)


def nearest_center_clusters(
    embeddings: npt.ArrayLike, labels: npt.ArrayLike
) -> npt.NDArray[np.int64]:
    """Assigns embeddings to the class whose mean unit embedding is nearest by cosine.

    Args:
        embeddings: [N, D] real numbers; L2-normalised here.
        labels: [N] integers or strings.

    Returns:
        Number of the class, among the sorted labels, of each row, int64, [N].

    Raises:
        ValueError: Wrong shapes, or what `rows.unit_rows` raises.

    >>> nearest_center_clusters([[1, 0], [1, 0.1], [0, 1]], ["b", "b", "a"]).tolist()
    [1, 1, 0]
    """
    unit = rows.unit_rows(embeddings)
    classes, codes = np.unique(np.asarray(labels), return_inverse=True)
    if codes.shape != (len(unit),):
        raise ValueError(f"labels must have shape ({len(unit)},), got {codes.shape}")
    sums = np.zeros((len(classes), unit.shape[1]))
    np.add.at(sums, codes, unit)
    return rows.exact_scores(unit, rows.unit_rows(sums, "class means")).argmax(axis=1)


def agreement(labels: npt.ArrayLike, clusters: npt.ArrayLike) -> dict[str, float]:
    """Mutual information of classes and clusters, normalised, and adjusted for chance.

        NMI = I(Y; C) / ½ (H(Y) + H(C))
        AMI = (I − E[I]) / (½ (H(Y) + H(C)) − E[I])

    with E[I] over random clusters of the same sizes (Vinh, Epps and Bailey, JMLR 2010). Both are 1
    where clusters are classes; AMI is about 0 for clusters by chance, NMI is not.

    Args:
        labels: [N] integers or strings.
        clusters: [N] integers.

    Returns:
        `nmi` and `ami`.

    Raises:
        ValueError: Different lengths.

    >>> agreement(["a", "a", "b", "b"], [1, 1, 0, 0])
    {'nmi': 1.0, 'ami': 1.0}
    """
    import sklearn.metrics

    classes, found = np.asarray(labels), np.asarray(clusters)
    if classes.shape != found.shape or classes.ndim != 1:
        raise ValueError(
            f"labels and clusters must have one length, got {classes.shape}, {found.shape}"
        )
    return {
        "nmi": float(sklearn.metrics.normalized_mutual_info_score(classes, found)),
        "ami": float(sklearn.metrics.adjusted_mutual_info_score(classes, found)),
    }
