"""The components' ids in the DAG, for whoever must not import TFX to know them: the command line.

What they are and how they are connected is in `pipeline.py`.
"""

from __future__ import annotations

COMPONENT_IDS = (
    "TfdsExampleGen",
    "ImportSchemaGen",
    "StatisticsGen",
    "ExampleValidator",
    "AnomalyGate",
    "Transform",
    "Trainer",
    "ImageEmbedder",
    "LeakCheck",
    "Baseline",
    "Evaluator",
    "TestEvaluator",
    "SimilarityIndexer",
    "ServingCheck",
    "Pusher",
    "Report",
)
