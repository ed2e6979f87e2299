"""Class separation against loops over all pairs."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from retrieval.separation import class_separation


def test_separation_follows_its_definition() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 6)) * rng.uniform(0.1, 9.0, (40, 1))
    labels = rng.integers(0, 5, 40).astype(str)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    groups = [unit[labels == name] for name in sorted(set(labels))]
    means = [group.mean(axis=0) for group in groups]
    within = np.mean(
        [
            np.mean([np.sum((row - mean) ** 2) for row in group])
            for group, mean in zip(groups, means, strict=True)
        ]
    )
    between = np.mean([np.sum((a - b) ** 2) for a, b in itertools.combinations(means, 2)])
    got = class_separation(x, labels)
    assert got["within"] == pytest.approx(within, rel=1e-12)
    assert got["between"] == pytest.approx(between, rel=1e-12)
    assert got["intra_inter"] == pytest.approx(math.sqrt(within / between), rel=1e-12)


def test_one_class_has_nothing_between() -> None:
    got = class_separation([[1, 0], [0, 1]], [3, 3])
    assert got["within"] == 0.5 and math.isnan(got["between"]) and math.isnan(got["intra_inter"])


def test_a_collapsed_embedding_is_infinitely_bad() -> None:
    got = class_separation([[1, 0], [0, 1], [1, 0], [0, 1]], [0, 0, 1, 1])
    assert got["between"] == 0.0 and got["intra_inter"] == math.inf


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match=r"\(2, 2\) and 3 labels"):
        class_separation([[1, 0], [0, 1]], [0, 1, 2])
