"""The artifact type of a gallery's edits; its file is described in `edits.py`."""

from __future__ import annotations

from tfx.types.artifact import Artifact


class GalleryEdits(Artifact):
    """Ids that were added to a gallery by hand, and ids that were removed, as JSON."""

    # Kubeflow wants a module and a class, and imports them: see `components/__init__.py`.
    TYPE_NAME = "components.GalleryEdits"
