"""The artifact type of embedded images; its files are described in `records.py`."""

from __future__ import annotations

from tfx.types.artifact import Artifact


class ImageEmbeddings(Artifact):
    """Embeddings, ids, classes and thumbnails of images, as sharded TFRecords by split."""

    # Kubeflow wants a module and a class, and imports them: see `components/__init__.py`.
    TYPE_NAME = "components.ImageEmbeddings"
