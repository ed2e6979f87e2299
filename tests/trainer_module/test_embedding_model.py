"""What the network gives in training and in use, put together from its layers by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from benchmarks.trainer_config import trainer_config
from trainer_module.embedding_model import EmbeddingModel
from trainer_module.joint_loss import JointLoss

IMAGES = np.random.default_rng(0).uniform(0, 255, (3, 32, 32, 3)).astype(np.float32)
CLASSES = 4


@pytest.fixture(scope="module")
def build() -> Callable[..., EmbeddingModel]:
    def build(*overrides: str) -> EmbeddingModel:
        config = trainer_config("demo", "model.weights=none", *overrides)
        return EmbeddingModel(
            config.model, num_classes=CLASSES, joint_loss=JointLoss(config.training, CLASSES)
        )

    return build


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("layer", ["embedding", "pooled"])
def test_in_use(build: Callable[..., EmbeddingModel], mirror: bool, layer: str) -> None:
    model = build(
        "model.embedding_dim=5",
        f"model.mirror_average={str(mirror).lower()}",
        f"model.compared_layer={layer}",
    )
    # An untrained backbone's features are so small that normalising them would not bring length 1.
    projection = 1e6 * np.asarray(model.get_layer("embedding").kernel)
    model.get_layer("embedding").set_weights([projection])
    pooled = np.asarray(model.backbone(IMAGES, training=False))
    if mirror:
        pooled = (pooled + np.asarray(model.backbone(IMAGES[:, :, ::-1], training=False))) / 2
    embedding = pooled @ projection
    kernel = np.asarray(model.head.kernel)
    cosine = (embedding / np.linalg.norm(embedding, axis=1, keepdims=True)) @ (
        kernel / np.linalg.norm(kernel, axis=0)
    )
    result = model.in_use(IMAGES)
    expected = pooled if layer == "pooled" else embedding
    np.testing.assert_allclose(result["features"], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(result["logits"], model.head.scale * cosine, rtol=1e-4, atol=1e-4)


def test_the_losses_see_the_embedding(build: Callable[..., EmbeddingModel]) -> None:
    model = build("model.embedding_dim=5", "model.compared_layer=pooled", "model.dropout=0")
    features = np.asarray(model(IMAGES)["features"])
    pooled = np.asarray(model.backbone(IMAGES, training=False))
    np.testing.assert_allclose(
        features, pooled @ np.asarray(model.get_layer("embedding").kernel), rtol=1e-4
    )
    assert model.joint_loss.center_loss.centers.shape == (CLASSES, 5)


def test_without_an_embedding_layer_both_are_the_pooled_features(
    build: Callable[..., EmbeddingModel],
) -> None:
    model = build("model.embedding_dim=0")
    pooled = np.asarray(model.backbone(IMAGES, training=False))
    for features in (model(IMAGES)["features"], model.in_use(IMAGES)["features"]):
        np.testing.assert_allclose(features, pooled, rtol=1e-5)
