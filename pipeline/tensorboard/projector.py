"""A training's embedded images, as TensorBoard's embedding projector reads them.

Vectors, a table of what is known of each image, and one picture of all thumbnails.
"""

from __future__ import annotations

import pathlib
from typing import TYPE_CHECKING

import numpy as np

from pipeline.tensorboard.sprite import draw_sprite

if TYPE_CHECKING:
    from components.report.findings.run_images import RunImages

CONFIG = "projector_config.pbtxt"
VECTORS = "embeddings.bytes"
METADATA = "images.tsv"
SPRITE = "thumbnails.png"
TENSOR = "images"

# The projector's page asks for no more.
MOST_IMAGES = 100_000
# Comparing all with all takes seconds up to here.
MOST_COMPARED = 20_000


def write_projector(folder: pathlib.Path, uri: str, seed: int = 0) -> int:
    """Writes what the projector shows.

    Args:
        folder: Of the training, within the log folder.
        uri: Artifact of the ImageEmbedder.
        seed: Chooses the images where there are too many.

    Returns:
        How many images it has.

    Raises:
        ValueError: No image is embedded.
    """
    from google.protobuf import text_format
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    from components.image_embedder import records
    from components.report.findings import run_images

    images = run_images.read(uri, records.embedded_splits(uri))
    if not len(images):
        raise ValueError(f"{uri} has no embedded images")
    rows = _chosen(len(images), seed)
    vectors = images.embeddings[rows]
    vectors.astype("<f4").tofile(folder / VECTORS)
    (folder / METADATA).write_text(_table(images, rows), "utf-8")
    sprite, tile = draw_sprite(list(images.thumbnails[rows]))
    sprite.save(folder / SPRITE, compress_level=3)
    config = ProjectorConfig()
    shown = config.embeddings.add(
        tensor_name=TENSOR,
        tensor_path=VECTORS,
        tensor_shape=vectors.shape,
        metadata_path=METADATA,
    )
    shown.sprite.image_path = SPRITE
    shown.sprite.single_image_dim.extend([tile, tile])
    (folder / CONFIG).write_text(text_format.MessageToString(config), "utf-8")
    return len(rows)


def _chosen(count: int, seed: int) -> np.ndarray:
    """Rows of all images, or of so many of them as can be shown."""
    if count <= MOST_IMAGES:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, MOST_IMAGES, replace=False))


def _table(images: RunImages, rows: np.ndarray) -> str:
    """What is known of each image, a line each, under a line of names.

    The projector colours by words only where there are few; by numbers it always does, and so the
    class is there as a number too.
    """
    classes = images.classes[rows]
    names = [_cell(images.class_names[place]) for place in classes]
    columns = {
        "class": names,
        "class_number": list(map(str, classes)),
        "id": list(map(_cell, images.ids[rows])),
        "split": list(map(_cell, images.splits[rows])),
    }
    if 1 < len(rows) <= MOST_COMPARED:
        nearest = _nearest(images.embeddings[rows], images.ids[rows])
        columns["nearest_class"] = [names[place] for place in nearest]
        columns["nearest_is"] = np.where(classes[nearest] == classes, "right", "wrong").tolist()
    lines = [tuple(columns), *zip(*columns.values(), strict=True)]
    return "".join("\t".join(line) + "\n" for line in lines)


def _nearest(vectors: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Of each image, the row of the other one whose embedding is nearest."""
    from retrieval.search import top_k

    _, places = top_k(vectors, vectors, 1, query_ids=ids, gallery_ids=ids)
    return places[:, 0]


def _cell(text: str) -> str:
    """Text in one cell: characters that end a cell or a line become spaces.

    Nothing but blanks becomes a dash, since the projector's page takes a line of blanks for none.
    """
    return " ".join(text.split()) or "-"
