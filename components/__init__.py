"""The TFX components of the pipeline, one folder each."""

from typing import Any


def __getattr__(name: str) -> Any:
    """Gives `components.SimilarityIndex`, by which name Kubeflow's compiler finds the type."""
    if name == "SimilarityIndex":
        from components.similarity_indexer.artifact import SimilarityIndex

        return SimilarityIndex
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
