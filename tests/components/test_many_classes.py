"""Ten thousand classes, at the places where their number counts; not a whole run."""

from __future__ import annotations

import pathlib

import numpy as np
import pytest

from components.photo_folder.division import SPLITS, Division, divide

CLASSES = 10_000
NAMES = [f"class {number:05}" for number in range(CLASSES)]


def test_each_class_has_a_photo_in_each_split() -> None:
    items = [(f"{name}/{index}", name) for name in NAMES for index in range(3)]
    splits = divide(items, Division(0.15, 0.15, 0))
    for split in SPLITS:
        own = [name for identity, name in items if splits[identity] == split]
        assert own == NAMES


def test_the_schema_knows_each_class(tmp_path: pathlib.Path) -> None:
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    from components.example_schema.curate import write_schema

    path = pathlib.Path(write_schema(tmp_path, tuple(NAMES), SPLITS))
    schema = text_format.Parse(path.read_text("utf-8"), schema_pb2.Schema())
    domains = {feature.name: feature for feature in schema.feature}
    assert list(domains["class_name"].string_domain.value) == NAMES
    assert domains["label"].int_domain.max == CLASSES - 1


@pytest.mark.extended
def test_the_network_is_trained_and_its_centers_are_looked_at() -> None:
    import tensorflow as tf

    from benchmarks.trainer_config import trainer_config
    from trainer_module.health import center_health
    from trainer_module.training import compiled_model

    config = trainer_config(
        "demo", "model.input_size=32", "model.weights=none",
        "training.batch_size=16", "training.center_loss.warmup_epochs=0",
    )  # fmt: skip
    model = compiled_model(config, CLASSES, steps=1)
    random = np.random.default_rng(0)
    images = random.uniform(0, 255, (16, 32, 32, 3)).astype(np.float32)
    labels = np.linspace(0, CLASSES - 1, 16).astype(np.int64)
    batches = tf.data.Dataset.from_tensors((images, labels))
    history = model.fit(batches, epochs=2, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    loss = model.joint_loss.center_loss
    assert loss.centers.shape == (CLASSES, config.model.embedding_dim)
    assert (np.asarray(loss.updates) > 0).sum() == 16
    assert center_health(model.joint_loss)["center_distance_min"] > 0.0


def test_a_report_on_each_class_is_a_page_of_a_few_megabytes() -> None:
    from components.report.page.render import render
    from tests.components.report.page import sample

    few, many = (sample.content(classes=count, per_class=2) for count in (100, CLASSES))
    # Pictures and the map have limits of their own; here it is about the classes.
    many["map"] = few["map"]
    page = render(many, sample.context(), sample.pictures(many))
    assert f"species {CLASSES - 3}" in page
    assert len(page.encode()) < 10_000_000
