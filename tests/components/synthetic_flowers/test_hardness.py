"""The dataset is neither trivial nor hopeless for a network that has never seen it."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

from components.synthetic_flowers.genera import draw_species
from components.synthetic_flowers.scene import photograph
from components.synthetic_flowers.streams import Purpose, stream
from retrieval.metrics import retrieval_metrics

CLASSES, PER_CLASS = 12, 8


@pytest.mark.e2e
def test_frozen_backbone_finds_some_and_misses_many():
    from trainer_module.backbones import build_backbone

    images, labels = [], []
    for label in range(CLASSES):
        for index in range(PER_CLASS):
            rng = stream(0, Purpose.VALIDATION, label, index)
            image = Image.open(io.BytesIO(photograph(rng, draw_species(0, label), 128)))
            images.append(np.asarray(ImageOps.fit(image, (96, 96), Image.Resampling.BICUBIC)))
            labels.append(label)
    backbone = build_backbone("efficientnet_lite0", input_size=96)
    embeddings = backbone.predict(np.stack(images).astype(np.float32), verbose=0)
    recall = retrieval_metrics(embeddings, labels)["recall_at_1"]
    by_chance = (PER_CLASS - 1) / (CLASSES * PER_CLASS - 1)
    assert 3.0 * by_chance < recall < 0.85
