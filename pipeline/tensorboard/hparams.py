"""Settings and final metrics of trainings, as TensorBoard's HParams dashboard reads them.

Made of the plugin's own messages, so that no summary operation of TensorFlow is needed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tensorboard.compat.proto.summary_pb2 import Summary

    from pipeline.settings import Settings

Value = bool | float | str

# Settings that say nothing of a model.
_ELSEWHERE = ("deployment", "monitoring", "report", "run", "serving", "serving_check")
# What is shown of a training that there is nothing to compare with.
_OF_TRAINING = ("model.", "training.")

METRICS = ("recall_at_1", "map_at_r")
SPLITS = ("test", "validation")


def settings_as_values(settings: Settings) -> dict[str, Value]:
    """Flattens what shapes a model, its evaluation and its gallery, by `section.key`.

    What is null has no value: a column of the dashboard holds values of one type alone.
    """
    values: dict[str, Value] = {}

    def add(key: str, value: Any) -> None:
        if isinstance(value, Mapping):
            for name, inner in value.items():
                add(f"{key}.{name}", inner)
        elif isinstance(value, bool | str):
            values[key] = value
        elif isinstance(value, int | float):
            values[key] = float(value)
        elif value is not None:
            values[key] = json.dumps(value)

    for section, content in settings.model_dump(mode="json").items():
        if section not in _ELSEWHERE:
            add(section, content)
    return values


def metric_tag(split: str, metric: str) -> str:
    """Returns the tag of the scalar that holds a final metric."""
    return f"evaluation/{split}_{metric}"


def final_metrics(summary: Mapping[str, Any]) -> dict[str, float]:
    """Picks the metrics that are shown from a run's summary, by tag."""
    measured = summary.get("metrics", {})
    return {
        metric_tag(split, metric): float(measured[split][metric])
        for split in SPLITS
        for metric in METRICS
        if measured.get(split, {}).get(metric) is not None
    }


def session_summaries(name: str, values: Mapping[str, Value], when: float) -> list[Summary]:
    """Returns what a training's own event file says to the dashboard.

    Args:
        name: Of the training.
        values: Its settings.
        when: Time of its start, in seconds since 1970.
    """
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2, summary_v2

    start = summary_v2.hparams_pb(dict(values), trial_id=name, start_time_secs=when)
    end = plugin_data_pb2.SessionEndInfo(status=api_pb2.STATUS_SUCCESS, end_time_secs=when)
    data = plugin_data_pb2.HParamsPluginData(session_end_info=end)
    return [start, _summary(metadata.SESSION_END_INFO_TAG, data)]


def experiment_summary(trainings: Mapping[str, Mapping[str, Value]]) -> Summary:
    """Returns which columns the dashboard has: settings in which trainings differ, and metrics.

    Where there is nothing to tell trainings apart by, the settings of model and training.

    Args:
        trainings: Settings by the name of the training.
    """
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    columns: dict[str, list[Value]] = {}
    for values in trainings.values():
        for key, value in values.items():
            columns.setdefault(key, []).append(value)
    # A setting that is null, or came with a later version, is missing.
    differing = {
        key: found
        for key, found in columns.items()
        if len(set(map(repr, found))) > 1 or len(found) < len(trainings)
    }
    shown = differing or {
        key: found for key, found in columns.items() if key.startswith(_OF_TRAINING)
    }
    experiment = api_pb2.Experiment(
        hparam_infos=[_column(key, found, key in differing) for key, found in shown.items()],
        metric_infos=[
            api_pb2.MetricInfo(
                name=api_pb2.MetricName(tag=metric_tag(split, metric)),
                display_name=f"{split} {metric}",
            )
            for split in SPLITS
            for metric in METRICS
        ],
        time_created_secs=time.time(),
    )
    return _summary(
        metadata.EXPERIMENT_TAG, plugin_data_pb2.HParamsPluginData(experiment=experiment)
    )


def _column(key: str, values: list[Value], differs: bool) -> Any:
    from tensorboard.plugins.hparams import api_pb2

    column = api_pb2.HParamInfo(name=key, differs=differs)
    if all(isinstance(value, bool) for value in values):
        column.type = api_pb2.DATA_TYPE_BOOL
        column.domain_discrete.extend(sorted(set(values)))
    elif all(isinstance(value, float) for value in values):
        column.type = api_pb2.DATA_TYPE_FLOAT64
        numbers = [value for value in values if isinstance(value, float)]
        column.domain_interval.min_value = min(numbers)
        column.domain_interval.max_value = max(numbers)
    else:
        column.type = api_pb2.DATA_TYPE_STRING
        column.domain_discrete.extend(sorted({_text(value) for value in values}))
    return column


def _text(value: Value) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _summary(tag: str, data: Any) -> Summary:
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import metadata

    return Summary(
        value=[
            Summary.Value(
                tag=tag,
                metadata=metadata.create_summary_metadata(data),
                tensor=metadata.NULL_TENSOR,
            )
        ]
    )
