"""The TFX components of the pipeline, one folder each."""

import importlib
from typing import Any

# Artifact types by the name under which Kubeflow's compiler looks for them in this package.
_ARTIFACTS = {
    "DriftReport": "components.drift_monitor.artifact",
    "GalleryEdits": "components.gallery_edit.artifact",
    "ImageEmbeddings": "components.image_embedder.artifact",
    "NearDuplicates": "components.leak_check.artifact",
    "RunReport": "components.report.artifact",
}


def __getattr__(name: str) -> Any:
    """Gives artifact types, such as `components.ImageEmbeddings`."""
    if name in _ARTIFACTS:
        return getattr(importlib.import_module(_ARTIFACTS[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
