"""Slow, obvious implementations that search and metrics are compared with."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

MakeRows = Callable[[str, int, int, np.random.Generator], np.ndarray]
Rank = Callable[..., list[list[tuple[float, int]]]]
Evaluate = Callable[..., dict[str, list[float]]]


@pytest.fixture(scope="session")
def make_rows() -> MakeRows:
    return _make_rows


@pytest.fixture(scope="session")
def rank() -> Rank:
    return _rank


@pytest.fixture(scope="session")
def evaluate() -> Evaluate:
    return _evaluate


def _make_rows(kind: str, rows: int, dim: int, rng: np.random.Generator) -> np.ndarray:
    """Rows that are easy to rank, or hard: many equal, few or all almost equal, all in one cone."""
    if kind == "ties":
        return rng.integers(-1, 2, (rows, dim)).astype(np.float64)
    if kind in ("near_ties", "crowd"):
        centre = rng.normal(size=(1 if kind == "crowd" else 1 + rows // 8, dim))
        noise = rng.normal(size=(rows, dim)) * 1e-7
        return centre[rng.integers(0, len(centre), rows)] + noise
    if kind == "positive":
        return np.abs(rng.normal(size=(rows, dim))) + 0.5
    return rng.normal(size=(rows, dim))


def _unit(row: Sequence[float]) -> list[float]:
    """What `retrieval/rows.py` promises: unit length, then whole multiples of 2**-24."""
    norm = math.sqrt(math.fsum(x * x for x in row))
    return [round(x / norm * 2**24) / 2**24 if norm else 0.0 for x in row]


def _rank(
    queries: np.ndarray,
    gallery: np.ndarray,
    query_ids: Sequence[Any] | None = None,
    gallery_ids: Sequence[Any] | None = None,
    metric: str = "cosine",
) -> list[list[tuple[float, int]]]:
    """The whole ranking of each query as `(score, gallery index)`, best first."""
    sides = [side if metric == "cosine" else side.astype(np.float32) for side in (queries, gallery)]
    queries_list, gallery_list = (
        [_unit(row) if metric == "cosine" else row for row in side.tolist()] for side in sides
    )
    rankings = []
    for q, query in enumerate(queries_list):
        ranking = []
        for index, row in enumerate(gallery_list):
            if (
                query_ids is not None
                and gallery_ids is not None
                and (query_ids[q] == gallery_ids[index])
            ):
                continue
            pairs = zip(query, row, strict=True)
            if metric == "squared_euclidean":
                score = -math.fsum((a - b) ** 2 for a, b in pairs) + 0.0
            else:
                score = math.fsum(a * b for a, b in pairs)
            ranking.append((float(np.float32(score)), index))
        rankings.append(sorted(ranking, key=lambda pair: (-pair[0], pair[1])))
    return rankings


def _evaluate(
    rankings: list[list[tuple[float, int]]],
    query_labels: Sequence[Any],
    gallery_labels: Sequence[Any],
    ks: Sequence[int],
) -> dict[str, list[float]]:
    """Textbook definitions, position by position; NaN for a query without a relevant item."""
    values: dict[str, list[float]] = {}
    for ranking, label in zip(rankings, query_labels, strict=True):
        relevant = [gallery_labels[index] == label for _, index in ranking]
        total = sum(relevant)
        precision = [sum(relevant[: i + 1]) / (i + 1) for i in range(len(relevant))]
        result: dict[str, float] = {}
        for k in ks:
            result[f"recall_at_{k}"] = float(any(relevant[:k]))
            result[f"precision_at_{k}"] = sum(relevant[:k]) / k
            hits = [p for p, hit in zip(precision[:k], relevant, strict=False) if hit]
            result[f"average_precision_at_{k}"] = math.fsum(hits) / max(1, min(k, total))
            gains = [1 / math.log2(2 + i) for i, hit in enumerate(relevant[:k]) if hit]
            ideal = [1 / math.log2(2 + i) for i in range(min(k, total))]
            result[f"ndcg_at_{k}"] = math.fsum(gains) / math.fsum(ideal) if ideal else math.nan
        at_hits = [p for p, hit in zip(precision, relevant, strict=True) if hit]
        at_hits_in_r = [p for p, hit in zip(precision[:total], relevant, strict=False) if hit]
        result["map_at_r"] = math.fsum(at_hits_in_r) / total if total else math.nan
        result["r_precision"] = sum(relevant[:total]) / total if total else math.nan
        result["mean_average_precision"] = math.fsum(at_hits) / total if total else math.nan
        result["mean_reciprocal_rank"] = 1 / (relevant.index(True) + 1) if total else math.nan
        for name, value in result.items():
            values.setdefault(name, []).append(value if total else math.nan)
    return values
