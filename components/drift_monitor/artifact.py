"""The artifact type of drift reports; its file is described in `report.py`."""

from __future__ import annotations

from tfx.types.artifact import Artifact


class DriftReport(Artifact):
    """How logged requests differ from images that a model was evaluated on, as JSON."""

    # Kubeflow wants a module and a class, and imports them: see `components/__init__.py`.
    TYPE_NAME = "components.DriftReport"
