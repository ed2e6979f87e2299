"""A servable model as the pipeline pushes it, but for training: real network, gallery of noise.

Speed does not depend on what the weights are. Used by the benchmarks of serving.
"""

from __future__ import annotations

import pathlib
import tempfile
from collections.abc import Sequence

import numpy as np


def write(
    folder: pathlib.Path,
    *,
    preset: str = "flowers102",
    gallery: int = 1000,
    dim: int = 256,
    neighbours: int = 20,
    input_size: int = 224,
    prefix: str = "photo",
    seed: int = 0,
    overrides: Sequence[str] = (),
) -> None:
    """Writes a version folder.

    Args:
        folder: Made; holds `saved_model.pb` afterwards.
        preset: Whose network it is.
        gallery: Images that can be found.
        dim: Of the embedding; 0 for the backbone's own features.
        neighbours: In each answer.
        input_size: Side of the network's input in pixels.
        prefix: Beginning of the gallery's ids.
        seed: Of gallery and weights.
        overrides: Of the preset's other settings, such as `model.mirror_average=false`.
    """
    import keras

    from benchmarks.trainer_config import trainer_config
    from components.image_embedder.records import EmbeddedImages
    from components.similarity_indexer.servable import SimilarityModel, save
    from trainer_module.embedding_model import EmbeddingModel
    from trainer_module.export import export
    from trainer_module.joint_loss import JointLoss

    config = trainer_config(
        preset,
        f"model.embedding_dim={dim}",
        "model.compared_layer=embedding",
        f"model.input_size={input_size}",
        *overrides,
    )
    keras.utils.set_random_seed(seed)
    classes = [f"class {number}" for number in range(102)]
    model = EmbeddingModel(
        config.model, num_classes=102, joint_loss=JointLoss(config.training, 102)
    )
    rng = np.random.default_rng(seed)
    labels = np.arange(gallery) % 102
    images = EmbeddedImages(
        ids=np.array([f"{prefix}-{number}".encode() for number in range(gallery)], object),
        labels=labels,
        class_names=np.array([classes[label].encode() for label in labels], object),
        embeddings=rng.normal(size=(gallery, dim)).astype(np.float32),
        thumbnails=np.array([b"no thumbnail"] * gallery, object),
    )
    with tempfile.TemporaryDirectory() as trained:
        export(
            model,
            trained,
            canonical_size=config.canonical_size,
            input_size=config.model.input_size,
            class_names=classes,
        )
        save(SimilarityModel(trained, images, k=neighbours, threshold=0.5), str(folder))


def photos(count: int, side: int = 256) -> list[bytes]:
    """Drawn flowers as JPEG."""
    from components.synthetic_flowers.drawing import Order, draw

    return [draw(Order(0, "test", number % 102, number // 102, side)) for number in range(count)]
