"""The networks that can be a backbone, by name, each from pixels to pooled features.

To add one: put its name in `BACKBONES` and build it in `build_backbone`, with its preprocessing
inside the model. Layers of its n-th block have names that begin with `blockN_`, by which blocks are
frozen; a layer `blockN_drop` is the block's stochastic depth. Embedding, head and losses are in
`embedding_model.py`.

Keras is imported only when a network is built: settings are checked against the names, and that
must be quick.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

LITE = tuple(f"efficientnet_lite{i}" for i in range(3))

# Lower-case name: the function's name in keras.applications.
APPLICATIONS = {
    name.lower(): name
    for name in (
        *(f"EfficientNetB{i}" for i in range(8)),
        *(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L")),
    )
}

BACKBONES = (*LITE, *APPLICATIONS.values())

SMALLEST_INPUT = 32


def available_backbones() -> tuple[str, ...]:
    """Returns the names that `build_backbone` knows; it ignores their case."""
    return BACKBONES


def build_backbone(
    name: str,
    *,
    input_size: int | None = None,
    weights: str | None = "imagenet",
    drop_path: float | None = None,
) -> keras.Model:
    """Builds a backbone with its preprocessing inside.

    Args:
        name: One of `available_backbones()`, in any case.
        input_size: Side S of the images in pixels, at least 32; None leaves it open.
        weights: `imagenet`, or None for random weights.
        drop_path: Rate of stochastic depth at the last block, rising linearly from 0 at the first;
            None for what the network has by itself: 0 for EfficientNet-Lite, 0.2 for the others.

    Returns:
        A model from float32 images `[B, S, S, 3]` in 0 … 255, RGB, to pooled features `[B, D]`;
        under a mixed precision policy these may be half precision.

    Raises:
        ValueError: An unknown name or weights, too small a size, or a rate of stochastic depth for
            a network that has none.
        WeightsNotFoundError: The weights are not installed or cannot be downloaded.
    """
    key = name.lower()
    if key not in map(str.lower, BACKBONES):
        raise ValueError(f"unknown backbone {name!r}; there are {', '.join(BACKBONES)}")
    if weights not in ("imagenet", None):
        raise ValueError(f"unknown weights {weights!r}; there are 'imagenet' and None")
    if input_size is not None and input_size < SMALLEST_INPUT:
        raise ValueError(f"input_size is {input_size}, but must be at least {SMALLEST_INPUT}")
    if key in LITE:
        return _build_lite(key, input_size, weights, drop_path or 0.0)
    backbone = _build_application(APPLICATIONS[key], input_size, weights)
    if drop_path is not None:
        _set_drop_path(backbone, drop_path)
    return backbone


def freeze_first_blocks(backbone: keras.Model, count: int) -> None:
    """Keeps the stem and the first blocks as they are: they are not trained.

    Their batch normalisation then uses the pretrained statistics in training too. Nothing below
    them needs gradients, which saves the most expensive part of a step, as there the images are
    largest. Stochastic depth within them stays.

    Args:
        backbone: A model of `build_backbone`.
        count: Number of blocks; 0 leaves everything to be trained, the stem included.

    Raises:
        ValueError: The backbone has fewer blocks.
    """
    if not count:
        return
    seen: dict[str, None] = {}
    for layer in _flat_layers(backbone):
        block = re.match(r"block\d+[a-z]?(?=_)", layer.name)
        if block:
            seen.setdefault(block[0])
        if len(seen) > count or (len(seen) == count and not block):
            return
        layer.trainable = False
    if len(seen) < count:
        raise ValueError(
            f"{backbone.name} has {len(seen)} blocks, fewer than frozen_blocks={count}"
        )


def _flat_layers(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _flat_layers(layer)
        else:
            yield layer


def _set_drop_path(backbone: keras.Model, drop_path: float) -> None:
    """Sets the rates of a network that has a layer for each already, as `keras.applications` has.

    Raises:
        ValueError: It has no such layer, and the rate is above 0.
    """
    blocks: dict[str, None] = {}
    drops: list[tuple[keras.Layer, int]] = []
    for layer in _flat_layers(backbone):
        if block := re.match(r"block\d+[a-z]?(?=_)", layer.name):
            blocks.setdefault(block[0])
            if layer.name == f"{block[0]}_drop":
                drops.append((layer, len(blocks) - 1))
    if drop_path and not drops:
        raise ValueError(
            f"{backbone.name} has no stochastic depth (no layer blockN_drop): "
            f"training.drop_path={drop_path} needs another backbone"
        )
    for layer, index in drops:
        layer.rate = drop_path * index / (len(blocks) - 1)


def _build_lite(
    name: str, input_size: int | None, weights: str | None, drop_path: float
) -> keras.Model:
    import keras

    from trainer_module.efficientnet_lite import build_efficientnet_lite, load_imagenet_weights

    variant = name.removeprefix("efficientnet_")
    network = build_efficientnet_lite(variant, input_size=input_size, drop_path=drop_path)
    if weights:
        load_imagenet_weights(network, variant)
    images = keras.Input((input_size, input_size, 3), name="images")
    # In float32 under any policy: half precision would round pixels before they are centred.
    scaled = keras.layers.Rescaling(1 / 128, offset=-127 / 128, name="rescale", dtype="float32")
    return keras.Model(images, network(scaled(images)), name=name)


def _build_application(name: str, input_size: int | None, weights: str | None) -> keras.Model:
    import keras

    from trainer_module.efficientnet_lite import WeightsNotFoundError

    build = getattr(keras.applications, name)
    options = {
        "include_top": False,
        "pooling": "avg",
        "input_shape": (input_size, input_size, 3),
    }
    if weights is None:
        return build(weights=None, **options)
    try:
        return build(weights=weights, **options)
    except Exception as error:  # Keras raises a bare Exception when a download fails
        raise WeightsNotFoundError(
            f"the {weights} weights of {name} could not be downloaded ({error}); "
            "connect to the internet, or use the backbone efficientnet_lite0, "
            "whose weights are installed, or random weights"
        ) from error
