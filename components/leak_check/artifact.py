"""The artifact type of near-duplicates; its file is described in `report.py`."""

from __future__ import annotations

from tfx.types.artifact import Artifact


class NearDuplicates(Artifact):
    """Images of later splits that look like one of an earlier split, as JSON."""

    # Kubeflow wants a module and a class, and imports them: see `components/__init__.py`.
    TYPE_NAME = "components.NearDuplicates"
