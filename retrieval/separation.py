"""How tight classes are and how far apart: the geometry behind the retrieval metrics.

Not a metric of retrieval itself; those are in `metrics.py`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def class_separation(embeddings: npt.ArrayLike, labels: npt.ArrayLike) -> dict[str, float]:
    """Distances within and between classes, of unit embeddings.

    With class means μ_c of L2-normalised rows and n_c rows in class c:

    - `within` = mean over classes of Σ_i ‖x_i − μ_c‖² / n_c
    - `between` = mean of ‖μ_c − μ_d‖² over all pairs c ≠ d
    - `intra_inter` = √(within / between), the smaller the better

    Every class counts the same. A class of one image is a point, with nothing within it.

    Args:
        embeddings: [N, D] real numbers; zero rows stay zero.
        labels: [N] integers or strings.

    Returns:
        The three by name; NaN for what needs two classes where there is one, infinity for
        `intra_inter` where all means are the same.

    Raises:
        ValueError: No rows, or not as many labels as rows.

    >>> class_separation([[1, 0], [0, 1], [-1, 0], [0, -1]], ["a", "a", "b", "b"])
    {'within': 0.5, 'between': 2.0, 'intra_inter': 0.5}
    """
    rows = np.asarray(embeddings, np.float64)
    _, index = np.unique(np.asarray(labels), return_inverse=True)
    if rows.ndim != 2 or len(rows) == 0 or len(index) != len(rows):
        raise ValueError(f"embeddings {rows.shape} and {len(index)} labels do not fit")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = rows / np.where(lengths > 0, lengths, 1.0)
    counts = np.bincount(index).astype(np.float64)
    means = np.zeros((len(counts), rows.shape[1]))
    np.add.at(means, index, rows)
    means /= counts[:, None]
    within = np.bincount(index, ((rows - means[index]) ** 2).sum(axis=1)) / counts
    # Over all pairs, Σ ‖μ_c − μ_d‖² = 2 C Σ_c ‖μ_c − μ̄‖².
    spread = ((means - means.mean(axis=0)) ** 2).sum()
    between = 2.0 * spread / (len(counts) - 1) if len(counts) > 1 else np.nan
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.sqrt(within.mean() / between)
    return {
        "within": float(within.mean()),
        "between": float(between),
        "intra_inter": float(ratio),
    }
