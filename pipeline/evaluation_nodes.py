"""The part of the DAG that measures retrieval: the baseline, and an evaluation of two splits."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from tfx import v1 as tfx

from components.blessed_baseline.component import BlessedBaseline
from components.retrieval_evaluator.component import RetrievalEvaluator
from components.retrieval_evaluator.config import (
    EXTRACTOR_MODULE,
    Protocol,
    Thresholds,
    eval_config,
)
from pipeline.code_hash import code_hash
from pipeline.settings import EvaluationSettings


@dataclasses.dataclass(frozen=True)
class EvaluationNodes:
    """The nodes.

    Attributes:
        baseline: Knows the model last blessed.
        evaluator: Of the validation split; it blesses.
        test_evaluator: Of the test split; it only reports.
    """

    baseline: Any
    evaluator: RetrievalEvaluator
    test_evaluator: RetrievalEvaluator


def evaluation_nodes(
    evaluation: EvaluationSettings,
    examples: tfx.dsl.Channel,
    model: tfx.dsl.Channel,
    left_out: tfx.dsl.Channel | None,
    record: str | None,
) -> EvaluationNodes:
    """Describes them.

    Args:
        evaluation: What is measured, and what a model must reach.
        examples: Raw examples.
        model: The Trainer's.
        left_out: Near-duplicates that take no part; None if all images do.
        record: File that remembers the model last blessed, see `Places.baseline`.
    """
    baseline = _baseline(record)
    code = code_hash(EXTRACTOR_MODULE, "components.retrieval_evaluator.component")

    def evaluator(
        split: str, thresholds: Thresholds | None, compared: tfx.dsl.Channel | None
    ) -> RetrievalEvaluator:
        searched = tuple(evaluation.gallery_splits)
        return RetrievalEvaluator(
            examples=examples,
            model=model,
            baseline_model=compared,
            example_splits=_evaluated(split, searched),
            left_out=left_out,
            eval_config=eval_config(
                evaluation.ks,
                thresholds=thresholds,
                slice_by_class=evaluation.slice_by_class,
                code_hash=code,
                protocol=Protocol((split,), searched or (split,)),
            ),
        )

    thresholds = Thresholds(
        evaluation.min_recall_at_1, evaluation.min_map_at_r, evaluation.allowed_drop
    )
    return EvaluationNodes(
        baseline,
        evaluator("validation", thresholds, baseline.outputs["model"]).with_id("Evaluator"),
        # Reported, never a reason to bless: the test split must not choose a model.
        evaluator("test", None, None).with_id("TestEvaluator"),
    )


def _baseline(record: str | None) -> Any:
    """The node whose output `model` is the model last blessed."""
    if record is not None:
        return BlessedBaseline(record).with_id("Baseline")
    return tfx.dsl.Resolver(
        strategy_class=tfx.dsl.experimental.LatestBlessedModelStrategy,
        model=tfx.dsl.Channel(type=tfx.types.standard_artifacts.Model),
        model_blessing=tfx.dsl.Channel(type=tfx.types.standard_artifacts.ModelBlessing),
    ).with_id("Baseline")


def _evaluated(split: str, gallery_splits: Sequence[str]) -> list[str]:
    """The splits that the evaluation of a split reads."""
    return [split, *(other for other in gallery_splits if other != split)]
