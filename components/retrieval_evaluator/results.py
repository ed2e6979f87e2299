"""Reads what an evaluation came to from a ModelEvaluation artifact, as TFMA has written it."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow_model_analysis as tfma

# What TFMA appends to a metric's name for its difference to the baseline's.
_DIFFERENCE = "_diff"


class Measured(NamedTuple):
    """A metric over the queries of a slice.

    Attributes:
        value: Its mean.
        low: Lower bound of its 95 % confidence interval; NaN where there are too few queries.
        high: Upper bound.
    """

    value: float
    low: float
    high: float


def read_overall(evaluation_uri: str) -> dict[str, float]:
    """Reads the candidate's metrics over all queries from a ModelEvaluation artifact."""
    return {name: metric.value for name, metric in read_intervals(evaluation_uri).items()}


def read_intervals(evaluation_uri: str) -> dict[str, Measured]:
    """The same with confidence intervals."""
    return {
        name: metric
        for name, metric in _read(evaluation_uri).get((), {}).items()
        if not name.endswith(_DIFFERENCE)
    }


def read_differences(evaluation_uri: str) -> dict[str, Measured]:
    """Reads by how much the candidate's metrics over all queries differ from the baseline's.

    Both models answer the same queries, and the interval is that of the difference of a query's two
    values, of which most cancels out; empty without a baseline.
    """
    return {
        name.removesuffix(_DIFFERENCE): metric
        for name, metric in _read(evaluation_uri).get((), {}).items()
        if name.endswith(_DIFFERENCE) and not name.startswith("example_count")
    }


def read_by_class(evaluation_uri: str) -> dict[str, dict[str, float]]:
    """Reads the candidate's metrics by class name; empty when classes were not sliced."""
    return {
        str(key[0][1]): {
            name: metric.value for name, metric in metrics.items() if not name.endswith(_DIFFERENCE)
        }
        for key, metrics in _read(evaluation_uri).items()
        if len(key) == 1
    }


def _read(uri: str) -> dict[tuple, dict[str, Measured]]:
    """Reads metrics by slice, whether or not a baseline was evaluated beside the candidate."""
    # TFMA drops the name of a model that was evaluated alone.
    result = tfma.load_eval_result(uri, model_name="candidate")
    if not result.slicing_metrics:
        result = tfma.load_eval_result(uri)
    return {
        key: {
            name: _measured(value)
            for metrics in outputs.values()
            for by_key in metrics.values()
            for name, value in by_key.items()
            # TFMA says in a metric of this name where a slice was too small for intervals.
            if name != "__ERROR__"
        }
        for key, outputs in result.slicing_metrics
    }


def _measured(value: dict[str, Any]) -> Measured:
    if "boundedValue" in value:
        bounded = value["boundedValue"]
        return Measured(*(float(bounded[part]) for part in ("value", "lowerBound", "upperBound")))
    return Measured(float(value["doubleValue"]), float("nan"), float("nan"))


def failed_thresholds(evaluation_uri: str) -> list[str]:
    """Says in words which thresholds the candidate missed; empty when it passed."""
    result = tfma.load_validation_result(evaluation_uri)
    reasons = []
    for by_slice in result.metric_validations_per_slice:
        for failure in by_slice.failures:
            held = failure.metric_value
            bounded = held.WhichOneof("type") == "bounded_value"
            value = (held.bounded_value if bounded else held.double_value).value
            value = value.value if bounded else value
            threshold = failure.metric_threshold
            if failure.metric_key.is_diff:
                allowed = -threshold.change_threshold.absolute.value
                reasons.append(
                    f"{failure.metric_key.name} changed by {value:+.4f} against the last blessed "
                    f"model; a drop of {allowed:.4f} is allowed"
                )
            else:
                bound = threshold.value_threshold.lower_bound.value
                reasons.append(
                    f"{failure.metric_key.name} is {value:.4f}; at least {bound:.4f} is required"
                )
    if not result.validation_ok and not reasons:
        reasons.append(str(result))
    return reasons
