"""The part of a DAG that says what is indexed: its settings, and changes made by hand.

The pipeline that trains and the one that only indexes have it in common.
"""

from __future__ import annotations

from typing import Any

from tfx import v1 as tfx

from components.gallery_edit.component import GalleryEdit
from components.gallery_edit.edits import ADDED_SPLIT
from components.image_embedder.component import ImageEmbedder
from components.image_embedder.executor import EmbedderConfig
from components.similarity_indexer.executor import IndexerConfig
from pipeline.code_hash import code_hash
from pipeline.places import LedgerPlace
from pipeline.settings import GallerySettings

GALLERY_EDIT = "GalleryEdit"
ADDED_EMBEDDER = "AddedEmbedder"


def indexer_config(gallery: GallerySettings) -> IndexerConfig:
    """Returns what settings say of the index."""
    return IndexerConfig(
        splits=gallery.splits,
        neighbours=gallery.neighbours,
        calibration_split=gallery.calibration_split,
        match_precision=gallery.match_precision,
        search=gallery.search,
        probes=gallery.probes,
    )


def gallery_edit_nodes(
    ledger: LedgerPlace, model: tfx.dsl.Channel, thumbnail_size: int
) -> tuple[Any, ImageEmbedder]:
    """Describes the components.

    Args:
        ledger: What was changed by hand.
        model: The Trainer's model, which embeds what was added.
        thumbnail_size: Shorter side of thumbnails in pixels.

    Returns:
        `GalleryEdit`, whose output `edits`, and an `ImageEmbedder`, whose output `embeddings`, the
        indexer takes.
    """
    edit = GalleryEdit(
        ledger=ledger.folder,
        digest=ledger.digest,
        code_hash=code_hash("components.gallery_edit.component"),
    ).with_id(GALLERY_EDIT)
    embedder = ImageEmbedder(
        examples=edit.outputs["examples"],
        model=model,
        config=EmbedderConfig((ADDED_SPLIT,), thumbnail_size),
        code_hash=code_hash("components.image_embedder.executor"),
    ).with_id(ADDED_EMBEDDER)
    return edit, embedder
