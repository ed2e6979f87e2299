"""The Report component: its inputs, output and configuration."""

from __future__ import annotations

from typing import Any

from tfx import v1 as tfx
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import component_spec

from components.image_embedder.artifact import ImageEmbeddings
from components.leak_check.artifact import NearDuplicates
from components.report.artifact import RunReport
from components.report.executor import Executor

_ARTIFACTS = tfx.types.standard_artifacts


class ReportSpec(component_spec.ComponentSpec):
    """Execution properties and channels of `Report`."""

    PARAMETERS = {
        # JSON strings, so that they can be runtime parameters on Kubeflow.
        "config": component_spec.ExecutionParameter(type=str),
        "context": component_spec.ExecutionParameter(type=str),
        "code_hash": component_spec.ExecutionParameter(type=str),
    }
    INPUTS = {
        "examples": component_spec.ChannelParameter(type=_ARTIFACTS.Examples),
        "embeddings": component_spec.ChannelParameter(type=ImageEmbeddings),
        "model_run": component_spec.ChannelParameter(type=_ARTIFACTS.ModelRun),
        "evaluation": component_spec.ChannelParameter(type=_ARTIFACTS.ModelEvaluation),
        "evaluation_blessing": component_spec.ChannelParameter(type=_ARTIFACTS.ModelBlessing),
        "test_evaluation": component_spec.ChannelParameter(type=_ARTIFACTS.ModelEvaluation),
        "servable": component_spec.ChannelParameter(type=_ARTIFACTS.Model),
        "near_duplicates": component_spec.ChannelParameter(type=NearDuplicates, optional=True),
        "serving_check": component_spec.ChannelParameter(
            type=_ARTIFACTS.InfraBlessing, optional=True
        ),
    }
    OUTPUTS = {"report": component_spec.ChannelParameter(type=RunReport)}


class Report(base_component.BaseComponent):
    """Writes one page that says whether the model is good, where it fails, and what changed.

    Outputs:
        report: The page, the model card, and the findings behind them.
    """

    SPEC_CLASS = ReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        *,
        examples: tfx.dsl.Channel,
        embeddings: tfx.dsl.Channel,
        model_run: tfx.dsl.Channel,
        evaluation: tfx.dsl.Channel,
        evaluation_blessing: tfx.dsl.Channel,
        test_evaluation: tfx.dsl.Channel,
        servable: tfx.dsl.Channel,
        config: str,
        context: str,
        code_hash: str,
        near_duplicates: tfx.dsl.Channel | None = None,
        serving_check: tfx.dsl.Channel | None = None,
    ) -> None:
        """Describes the component.

        Args:
            examples: Raw examples; what ingestion found lies beside them.
            embeddings: Embedded images of all splits.
            model_run: The Trainer's history.
            evaluation: Of the validation split, with the comparison to the baseline.
            evaluation_blessing: Of the same Evaluator.
            test_evaluation: Of the test split.
            servable: The SimilarityIndexer's model, for its match threshold.
            config: JSON of `executor.ReportOptions`.
            context: JSON of what else goes into the page, see `page/render.py`.
            code_hash: Digest of this component's code; part of the cache key.
            near_duplicates: LeakCheck's list, if it looked.
            serving_check: What ServingCheck found, if it was asked.
        """
        optional: dict[str, Any] = {
            "near_duplicates": near_duplicates,
            "serving_check": serving_check,
        }
        super().__init__(
            ReportSpec(
                examples=examples,
                embeddings=embeddings,
                model_run=model_run,
                evaluation=evaluation,
                evaluation_blessing=evaluation_blessing,
                test_evaluation=test_evaluation,
                servable=servable,
                **{name: channel for name, channel in optional.items() if channel is not None},
                config=config,
                context=context,
                code_hash=code_hash,
                report=tfx.dsl.Channel(type=RunReport),
            )
        )
