"""Turns ExampleValidator's anomalies into an error a person can read.

ExampleValidator only records what it finds and never fails a run; this is what fails.
"""

from __future__ import annotations

import os

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.dsl.io import fileio


class DataAnomaliesError(RuntimeError):
    """The data does not match the schema; the message lists what does not, split by split."""


def describe(split: str, anomalies: anomalies_pb2.Anomalies) -> list[str]:
    """Returns one line for each anomaly of a split, empty when there is none."""
    lines = [
        f"{split}: {name}: {info.short_description}: {info.description}"
        for name, info in sorted(anomalies.anomaly_info.items())
    ]
    if anomalies.HasField("dataset_anomaly_info"):
        lines.append(f"{split}: {anomalies.dataset_anomaly_info.description}")
    if anomalies.data_missing:
        lines.append(f"{split}: the split is empty")
    return lines


def check(uri: str, splits: list[str]) -> None:
    """Reads the anomalies of every split below `uri`.

    Raises:
        DataAnomaliesError: At least one split has an anomaly.
    """
    lines: list[str] = []
    for split in splits:
        with fileio.open(os.path.join(uri, f"Split-{split}", "SchemaDiff.pb"), "rb") as file:
            lines += describe(split, anomalies_pb2.Anomalies.FromString(file.read()))
    if lines:
        raise DataAnomaliesError("the data does not match the schema:\n  " + "\n  ".join(lines))
