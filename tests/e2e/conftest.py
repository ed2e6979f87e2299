"""What the runs of whole pipelines share."""

from __future__ import annotations

import pytest

TINY = [
    "data.synthetic.classes=3",
    "data.synthetic.train_per_class=6",
    "data.synthetic.validation_per_class=4",
    "data.synthetic.test_per_class=3",
    "data.synthetic.image_size=48",
    "images.canonical_size=40",
    "model.input_size=32",
    "model.embedding_dim=8",
    "training.epochs=2",
    "training.batch_size=6",
    "evaluation.min_recall_at_1=0.0",
    "evaluation.allowed_drop=1.0",
    "gallery.neighbours=7",
]


@pytest.fixture(scope="session")
def tiny() -> tuple[str, ...]:
    """Settings, on top of the preset demo, of the smallest pipeline that does everything."""
    return tuple(TINY)
