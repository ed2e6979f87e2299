"""The EvalConfig of retrieval: models, slices, metrics, thresholds. Results: `results.py`."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import tensorflow_model_analysis as tfma

from retrieval.metrics import metric_names
from trainer_module import features

METRIC_MODULE = "components.retrieval_evaluator.metric"
EXTRACTOR_MODULE = "components.retrieval_evaluator.extractors"


@dataclasses.dataclass(frozen=True)
class Protocol:
    """Which images are searched for which.

    Attributes:
        query_splits: Splits whose images are queries; none for all that are evaluated.
        gallery_splits: Splits that are searched; none for all that are evaluated. A query that is
            among them is left out of its own answer.
    """

    query_splits: tuple[str, ...] = ()
    gallery_splits: tuple[str, ...] = ()

    def is_query(self, splits: np.ndarray) -> np.ndarray:
        """Which images of these splits (bytes [B]) are queries, bool [B]."""
        return _among(splits, self.query_splits)

    def is_gallery(self, splits: np.ndarray) -> np.ndarray:
        """Which images of these splits (bytes [B]) are searched, bool [B]."""
        return _among(splits, self.gallery_splits)


LEAVE_ONE_OUT = Protocol()


def _among(splits: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    wanted = [name.encode() for name in names]
    return np.array([not wanted or split in wanted for split in splits.tolist()], bool)


@dataclasses.dataclass(frozen=True)
class Thresholds:
    """What a model must reach to be blessed.

    Attributes:
        min_recall_at_1: Lowest recall@1.
        min_map_at_r: Lowest MAP@R.
        allowed_drop: recall@1 that may be lost against the last blessed model.
    """

    min_recall_at_1: float
    min_map_at_r: float
    allowed_drop: float


def eval_config(
    ks: tuple[int, ...],
    *,
    thresholds: Thresholds | None,
    slice_by_class: bool,
    code_hash: str,
    protocol: Protocol = LEAVE_ONE_OUT,
) -> tfma.EvalConfig:
    """Builds the Evaluator's configuration.

    Args:
        ks: The cut-offs of the metrics that have one.
        thresholds: None for an Evaluator that only reports.
        slice_by_class: Whether metrics are given for each class too.
        code_hash: Digest of the evaluation code; part of the cache key.
        protocol: Which images are searched for which.
    """
    lowest = {}
    if thresholds is not None:
        lowest = {
            "recall_at_1": thresholds.min_recall_at_1,
            "map_at_r": thresholds.min_map_at_r,
        }
    metrics = []
    for name in metric_names(ks):
        metric = tfma.MetricConfig(
            class_name="MeanOverQueries",
            module=METRIC_MODULE,
            config=json.dumps(
                {
                    "name": name,
                    "ks": ks,
                    "protocol": dataclasses.astuple(protocol),
                    "code": code_hash,
                }
            ),
        )
        if thresholds is not None and name in lowest:
            # For all queries together; a plain `threshold` would hold for every class too.
            over_all = metric.per_slice_thresholds.add(slicing_specs=[tfma.SlicingSpec()])
            over_all.threshold.value_threshold.lower_bound.value = lowest[name]
            if name == "recall_at_1":
                change = over_all.threshold.change_threshold
                change.direction = tfma.MetricDirection.HIGHER_IS_BETTER
                change.absolute.value = -thresholds.allowed_drop
        metrics.append(metric)
    metrics.append(tfma.MetricConfig(class_name="ExampleCount"))
    models = [_model("candidate")]
    if thresholds is not None:
        models.append(_model("baseline", is_baseline=True))
    slices = [tfma.SlicingSpec()]
    if slice_by_class:
        slices.append(tfma.SlicingSpec(feature_keys=[features.CLASS_NAME]))
    config = tfma.EvalConfig(
        model_specs=models,
        slicing_specs=slices,
        metrics_specs=[tfma.MetricsSpec(metrics=metrics)],
    )
    # The queries in 20 parts, each of which is left out once (its standard error gives Student's t
    # interval): the same for both models, so that differences are paired.
    config.options.compute_confidence_intervals.value = True
    config.options.confidence_intervals.method = config.options.confidence_intervals.JACKKNIFE
    return config


def leaving_out(config: tfma.EvalConfig, path: str) -> tfma.EvalConfig:
    """The same without some images, neither as queries nor in the gallery.

    Args:
        config: Of `eval_config`.
        path: A list of near-duplicates (`leak_check/report.py`).
    """
    changed = tfma.EvalConfig()
    changed.CopyFrom(config)
    for spec in changed.metrics_specs:
        for metric in spec.metrics:
            if metric.module == METRIC_MODULE:
                metric.config = json.dumps({**json.loads(metric.config), "left_out": path})
    return changed


def _model(name: str, *, is_baseline: bool = False) -> tfma.ModelSpec:
    return tfma.ModelSpec(
        name=name,
        is_baseline=is_baseline,
        signature_name="serving_default",
        label_key=features.LABEL,
        prediction_key="embedding",
    )
