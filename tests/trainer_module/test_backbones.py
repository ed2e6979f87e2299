"""Every backbone by name: what it takes, what it gives, and what happens without its weights."""

from __future__ import annotations

import functools
import pathlib
import subprocess
import sys
import urllib.error

import keras
import numpy as np
import pytest

from trainer_module.backbones import (
    APPLICATIONS,
    available_backbones,
    build_backbone,
    freeze_first_blocks,
)
from trainer_module.efficientnet_lite import (
    WeightsNotFoundError,
    build_efficientnet_lite,
    load_imagenet_weights,
)

PIXELS = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype(np.float32)


def test_names_are_unique_whatever_their_case():
    names = available_backbones()
    assert len({name.lower() for name in names}) == len(names)
    assert names[0] == "efficientnet_lite0" and "EfficientNetV2S" in names


@pytest.mark.parametrize("name", APPLICATIONS.values())
def test_keras_has_every_other_backbone(name: str):
    build = getattr(keras.applications, name)
    # Weights are checked before anything is built, so this is quick.
    with pytest.raises(ValueError, match="weights"):
        build(weights="no such weights")


@pytest.mark.parametrize(
    ("name", "width"),
    [
        ("efficientnet_lite0", 1280),
        ("EfficientNet_Lite2", 1280),
        ("EfficientNetB0", 1280),
        ("efficientnetv2b0", 1280),
    ],
)
def test_pixels_to_pooled_features(name: str, width: int):
    keras.utils.set_random_seed(0)
    model = build_backbone(name, input_size=32, weights=None)
    assert model.input_shape == (None, 32, 32, 3) and model.output_shape == (None, width)
    features = np.asarray(model(PIXELS))
    assert np.isfinite(features).all() and features.std() > 0
    # Pixels are scaled inside: no first convolution sees 0 … 255.
    inner = [*model.layers, *getattr(model.layers[-1], "layers", [])]
    kinds = [type(layer) for layer in inner]
    assert kinds.index(keras.layers.Rescaling) < kinds.index(keras.layers.Conv2D)


def test_lite_scales_pixels_and_has_its_imagenet_weights():
    network = build_efficientnet_lite("lite0", input_size=32)
    load_imagenet_weights(network, "lite0")
    expected = network((PIXELS - 127.0) / 128.0)
    model = build_backbone("efficientnet_lite0", input_size=32)
    np.testing.assert_allclose(model(PIXELS), expected, atol=1e-5, rtol=0)


def test_pixels_keep_their_precision_under_a_mixed_policy():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_backbone("efficientnet_lite0", input_size=32, weights=None)
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(np.asarray(model(PIXELS), np.float32)).all()
    assert model.input.dtype == "float32"
    assert model.get_layer("rescale").compute_dtype == "float32"


def test_an_unknown_name_is_named_with_those_there_are():
    with pytest.raises(ValueError, match="unknown backbone 'ResNet50'; there are") as error:
        build_backbone("ResNet50", input_size=32)
    assert all(name in str(error.value) for name in available_backbones())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"input_size": 31}, "input_size is 31, but must be at least 32"),
        ({"input_size": 32, "weights": "none"}, "unknown weights 'none'; there are 'imagenet'"),
    ],
)
def test_bad_options_are_named(options: dict, message: str):
    with pytest.raises(ValueError, match=message):
        build_backbone("efficientnet_lite0", **options)


def test_weights_that_cannot_be_downloaded(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path):
    def refuse(url: str, *_: object, **__: object) -> None:
        raise urllib.error.URLError(f"no route to {url}")

    from keras.src.utils import file_utils

    monkeypatch.setattr(file_utils, "urlretrieve", refuse)
    monkeypatch.setattr(file_utils.config, "keras_home", lambda: str(tmp_path))
    with pytest.raises(WeightsNotFoundError) as error:
        build_backbone("EfficientNetB0", input_size=32)
    message = str(error.value)
    assert "imagenet weights of EfficientNetB0 could not be downloaded" in message
    assert "no route to" in message and "efficientnet_lite0" in message


@pytest.mark.parametrize(
    ("name", "blocks", "frozen", "trained"),
    [
        ("efficientnet_lite0", 16, ["stem_bn", "block1_project_bn"], ["block2_expand_conv"]),
        (
            "EfficientNetB0",
            16,
            ["stem_bn", "block2a_se_reduce"],
            ["block2b_expand_conv", "top_conv"],
        ),
    ],
)
def test_the_first_blocks_can_be_frozen(
    name: str, blocks: int, frozen: list[str], trained: list[str]
):
    """Two of them; the first layer that is frozen has statistics."""
    model = build_backbone(name, input_size=32, weights=None)
    network = model.get_layer("efficientnet_lite0") if "lite" in name else model
    before = len(model.trainable_variables)
    freeze_first_blocks(model, 0)
    assert len(model.trainable_variables) == before
    freeze_first_blocks(model, 2)
    assert not any(network.get_layer(layer).trainable for layer in frozen)
    assert all(network.get_layer(layer).trainable for layer in trained)
    statistics = network.get_layer(frozen[0])
    unchanged = [weight.numpy() for weight in statistics.weights]
    model(PIXELS, training=True)
    for weight, value in zip(statistics.weights, unchanged, strict=True):
        np.testing.assert_array_equal(weight, value)
    with pytest.raises(ValueError, match=f"{blocks} blocks, fewer than frozen_blocks={blocks + 1}"):
        freeze_first_blocks(model, blocks + 1)


def test_an_open_size_gives_the_same_features():
    fixed = build_backbone("efficientnet_lite0", input_size=32)
    open_size = build_backbone("efficientnet_lite0")
    np.testing.assert_allclose(open_size(PIXELS), fixed(PIXELS), atol=1e-6)
    assert open_size(np.zeros((1, 48, 48, 3), np.float32)).shape == (1, 1280)


def test_names_can_be_had_without_keras():
    code = (
        "import sys; from trainer_module.backbones import available_backbones;"
        "assert available_backbones(); sys.exit('keras' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def _drop_rates(model: keras.Model) -> dict[str, float]:
    inner = [*model.layers, *getattr(model.layers[-1], "layers", [])]
    return {layer.name: layer.rate for layer in inner if layer.name.endswith("_drop")}


def test_stochastic_depth_rises_from_the_first_block_to_the_last():
    for name, blocks in (("efficientnet_lite0", 16), ("EfficientNetB0", 16)):
        rates = _drop_rates(build_backbone(name, input_size=32, weights=None, drop_path=0.3))
        # Blocks that change the size of what they get cannot be left out.
        assert len(rates) == 9
        if name == "efficientnet_lite0":
            expected = {f"block{n}_drop": 0.3 * n / 15 for n in (2, 4, 6, 7, 9, 10, 12, 13, 14)}
            assert rates == pytest.approx(expected)
        else:
            assert list(rates.values()) == sorted(rates.values())
            assert rates["block2b_drop"] == pytest.approx(0.3 * 2 / 15)
            assert rates["block6d_drop"] == pytest.approx(0.3 * 14 / (blocks - 1))
    assert _drop_rates(build_backbone("efficientnet_lite0", input_size=32, weights=None)) == {}
    own = _drop_rates(build_backbone("EfficientNetB0", input_size=32, weights=None))
    assert own["block6d_drop"] == pytest.approx(0.2 * 14 / 16)


def test_a_network_without_stochastic_depth_is_given_no_rate(monkeypatch: pytest.MonkeyPatch):
    plain = functools.partial(keras.applications.MobileNetV3Small, minimalistic=True)
    monkeypatch.setattr(keras.applications, "EfficientNetB0", plain)
    build_backbone("EfficientNetB0", input_size=32, weights=None, drop_path=0.0)
    with pytest.raises(ValueError, match=r"no layer blockN_drop.*training.drop_path=0.3"):
        build_backbone("EfficientNetB0", input_size=32, weights=None, drop_path=0.3)


def test_stochastic_depth_leaves_out_whole_blocks_of_an_image_and_only_in_training():
    plain = build_backbone("efficientnet_lite0", input_size=32)
    dropping = build_backbone("efficientnet_lite0", input_size=32, drop_path=0.5)
    np.testing.assert_array_equal(plain(PIXELS), dropping(PIXELS))
    layer = dropping.layers[-1].get_layer("block14_drop")
    out = np.asarray(layer(np.ones((1000, 2, 2, 3), np.float32), training=True))
    share = 0.5 * 14 / 15
    kept = out[:, :1, :1, :1]
    np.testing.assert_array_equal(out, np.broadcast_to(kept, out.shape))
    np.testing.assert_allclose(np.unique(out), [0.0, 1.0 / (1.0 - share)], rtol=1e-5)
    assert abs((kept == 0).mean() - share) < 0.06  # four standard errors
