"""A TFMA metric: the mean of a per-query result that the extractor has attached.

What the results mean is defined in `retrieval/metrics.py`; how they get into the features is the
business of `extractors.py`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow_model_analysis as tfma


def result_key(model_name: str, metric: str) -> str:
    """Returns the feature that holds a model's per-query results of a metric."""
    return f"retrieval:{model_name}:{metric}"


class MeanOverQueries(tfma.metrics.Metric):
    """Mean over the queries that have at least one relevant item; NaN when there is none."""

    def __init__(
        self,
        name: str,
        ks: Iterable[int] = (),
        protocol: Any = (),
        left_out: str = "",
        code: str = "",
    ) -> None:
        """Makes the metric.

        Args:
            name: Key of `retrieval.metrics.per_query_metrics`, and the metric's name in TFMA.
            ks: The cut-offs of the metrics that have one; read by the extractor.
            protocol: The fields of a `config.Protocol`; read by the extractor.
            left_out: See `config.leaving_out`; read by the extractor.
            code: Digest of the evaluation code. The Evaluator has no other place for it that
                enters its cache key.
        """
        super().__init__(
            _computations,
            name=name,
            ks=list(ks),
            protocol=protocol,
            left_out=left_out,
            code=code,
        )


def _computations(
    name: str,
    ks: Any,
    protocol: Any,
    left_out: str,
    code: str,
    model_names: list[str] | None = None,
) -> list[tfma.metrics.MetricComputation]:
    del ks, protocol, left_out, code
    computations = []
    for model_name in model_names or [""]:
        key = tfma.metrics.MetricKey(name=name, model_name=model_name)
        feature = result_key(model_name, name)
        computations.append(
            tfma.metrics.MetricComputation(
                keys=[key],
                preprocessors=[
                    tfma.metrics.FeaturePreprocessor(
                        feature_keys=[feature], include_default_inputs=False
                    )
                ],
                combiner=_Mean(key, feature),
            )
        )
    return computations


class _Mean(beam.CombineFn):
    """Sum and count of the finite values of one feature."""

    def __init__(self, key: tfma.metrics.MetricKey, feature: str) -> None:
        self._key = key
        self._feature = feature

    def create_accumulator(self) -> tuple[float, int]:
        return 0.0, 0

    def add_input(self, accumulator: tuple[float, int], element: Any) -> tuple[float, int]:
        values = np.asarray(element.features[self._feature], np.float64)
        finite = values[np.isfinite(values)]
        return accumulator[0] + float(finite.sum()), accumulator[1] + finite.size

    def merge_accumulators(self, accumulators: Iterable[tuple[float, int]]) -> tuple[float, int]:
        sums, counts = zip(*accumulators, strict=True)
        return sum(sums), sum(counts)

    def extract_output(self, accumulator: tuple[float, int]) -> dict[tfma.metrics.MetricKey, float]:
        total, count = accumulator
        return {self._key: total / count if count else float("nan")}
