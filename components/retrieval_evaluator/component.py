"""The Evaluator component: TFX's, which can leave near-duplicates out."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import tensorflow_model_analysis as tfma
from tfx import v1 as tfx
from tfx.components.evaluator import executor as evaluator_executor
from tfx.dsl.components.base import base_beam_component, executor_spec
from tfx.types import artifact_utils, component_spec, standard_component_specs
from tfx.utils import proto_utils

from components.blessed_baseline.record import remember, take_baseline
from components.leak_check import report
from components.leak_check.artifact import NearDuplicates
from components.retrieval_evaluator.config import EXTRACTOR_MODULE, leaving_out

LEFT_OUT_KEY = "left_out"


class Executor(evaluator_executor.Executor):
    """TFX's executor, told what to leave out."""

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Evaluates, and blesses if thresholds are set and met."""
        inputs, properties = dict(input_dict), dict(exec_properties)
        record = take_baseline(inputs, standard_component_specs.BASELINE_MODEL_KEY)
        if listed := inputs.pop(LEFT_OUT_KEY, None):
            key = standard_component_specs.EVAL_CONFIG_KEY
            config = proto_utils.json_to_proto(properties[key], tfma.EvalConfig())
            path = os.path.join(artifact_utils.get_single_uri(listed), report.FILE)
            properties[key] = proto_utils.proto_to_json(leaving_out(config, path))
        super().Do(inputs, output_dict, properties)
        if record and _blessed(output_dict):
            model = artifact_utils.get_single_uri(inputs[standard_component_specs.MODEL_KEY])
            remember(record, model)


def _blessed(output_dict: dict[str, list[Any]]) -> bool:
    blessing = artifact_utils.get_single_instance(
        output_dict[standard_component_specs.BLESSING_KEY]
    )
    return bool(blessing.get_int_custom_property("blessed"))


class RetrievalEvaluatorSpec(standard_component_specs.EvaluatorSpec):
    """That of TFX's Evaluator, with what is left out."""

    INPUTS = {
        **standard_component_specs.EvaluatorSpec.INPUTS,
        LEFT_OUT_KEY: component_spec.ChannelParameter(type=NearDuplicates, optional=True),
    }


class RetrievalEvaluator(base_beam_component.BaseBeamComponent):
    """Evaluates retrieval in TFMA.

    Outputs:
        evaluation: What TFMA writes.
        blessing: Whether the model is good enough.
    """

    SPEC_CLASS = RetrievalEvaluatorSpec
    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(
        self,
        examples: tfx.dsl.Channel,
        model: tfx.dsl.Channel,
        eval_config: tfma.EvalConfig,
        example_splits: Sequence[str],
        baseline_model: tfx.dsl.Channel | None = None,
        left_out: tfx.dsl.Channel | None = None,
    ) -> None:
        """Describes the component.

        Args:
            examples: Raw examples.
            model: The candidate.
            eval_config: Of `config.eval_config`.
            example_splits: Splits that are read.
            baseline_model: What the candidate is compared with.
            left_out: Near-duplicates that take no part.
        """
        super().__init__(
            RetrievalEvaluatorSpec(
                examples=examples,
                model=model,
                baseline_model=baseline_model,
                left_out=left_out,
                eval_config=eval_config,
                example_splits=json.dumps(list(example_splits)),
                # TFX writes what is not set, too, and reads it as JSON.
                fairness_indicator_thresholds="null",
                module_path=EXTRACTOR_MODULE,
                evaluation=tfx.dsl.Channel(type=tfx.types.standard_artifacts.ModelEvaluation),
                blessing=tfx.dsl.Channel(type=tfx.types.standard_artifacts.ModelBlessing),
            )
        )
