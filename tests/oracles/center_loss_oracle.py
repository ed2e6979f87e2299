"""Definitions in float64, without the framework: what the losses are compared with."""

from __future__ import annotations

import numpy as np


class CenterOracle:
    """Center loss with explicit moving averages and bias correction."""

    def __init__(self, classes: int, dimensions: int, momentum: float, normalize: bool) -> None:
        self.m, self.normalize = momentum, normalize
        self.a, self.u = np.zeros((classes, dimensions)), np.zeros(classes)

    @property
    def centers(self) -> np.ndarray:
        return self.a / np.where(self.u > 0, 1 - self.m**self.u, 1)[:, None]

    def __call__(self, features: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
        f = features.astype(np.float64)
        centers = self.centers
        if self.normalize:
            f = f / np.linalg.norm(f, axis=1, keepdims=True)
            centers = centers / np.maximum(np.linalg.norm(centers, axis=1, keepdims=True), 1e-300)
        distance = ((f - centers[labels]) ** 2).sum(axis=1)
        loss = 0.5 * (weights * (self.u[labels] > 0) * distance).sum() / weights.sum()
        for j in np.unique(labels[weights > 0]):
            rows = labels == j
            mean = (weights[rows, None] * f[rows]).sum(axis=0) / weights[rows].sum()
            self.a[j] = self.m * self.a[j] + (1 - self.m) * mean
            self.u[j] += 1
        return loss
