"""Training speed on an accelerator, on Keras's JAX backend: no TensorFlow is needed.

Prints one JSON line for each batch size: images a second of a jit-compiled training step (network,
joint loss, gradients, AdamW) on images that lie on the device, model FLOP utilisation, and the
share of the step that the center loss takes (the same step without it, turn about). FLOPs are those
XLA counts for the step as a CPU would do it: on a GPU it does not see into cuDNN's convolutions.
The peak is the device's dense rate in bfloat16, see `PEAK`, or `--peak-tflops`. Unlike the presets,
every block is trained, and with Keras's own AdamW.

It needs keras, jax and numpy, and this checkout on the path:

    PYTHONPATH=. python benchmarks/gpu.py

On a CPU it runs too, with `--input-size 64 --batch-sizes 8` in about a minute.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Callable
from typing import Any

# Dense bfloat16 rate in TFLOP/s by what JAX calls the device.
PEAK = {"H100": 989.0, "H200": 989.0, "A100": 312.0}


def main() -> None:
    """Parses the command line, measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backbone", default="efficientnet_lite0", help="(%(default)s)")
    parser.add_argument("--input-size", type=int, default=224, help="pixels (%(default)s)")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[64, 256, 1024])
    parser.add_argument("--classes", type=int, default=102, help="(%(default)s)")
    parser.add_argument("--precision", default="mixed_bfloat16", help="Keras policy (%(default)s)")
    parser.add_argument("--steps", type=int, default=20, help="steps of a turn (%(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each side (%(default)s)")
    parser.add_argument("--peak-tflops", type=float, help="of the device (default: by its name)")
    options = parser.parse_args()
    os.environ["KERAS_BACKEND"] = "jax"
    for batch_size in options.batch_sizes:
        print(json.dumps({"benchmark": "gpu", **measure(options, batch_size)}), flush=True)


def measure(options: argparse.Namespace, batch_size: int) -> dict[str, Any]:
    """Times the step with and without center loss."""
    import jax

    device = jax.devices()[0]
    peak = options.peak_tflops or next(
        (value for name, value in PEAK.items() if name in device.device_kind), None
    )
    sides = {
        "with": _step(options, batch_size, with_center_loss=True),
        "without": _step(options, batch_size, with_center_loss=False),
    }
    flops = sides["with"][1]
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(options.rounds):
        for name in list(sides)[:: 1 if number % 2 else -1]:
            seconds[name].append(sides[name][0]() / options.steps)
    step = statistics.median(seconds["with"])
    shares = [1 - without / whole for whole, without in zip(*seconds.values(), strict=True)]
    return {
        "device": device.device_kind,
        "backbone": options.backbone,
        "input_size": options.input_size,
        "precision": options.precision,
        "batch_size": batch_size,
        "images_per_second": round(batch_size / step, 1),
        "tflops_per_second": round(flops / step / 1e12, 2),
        "flop_utilisation": round(flops / step / 1e12 / peak, 4) if peak else None,
        "center_loss_share": round(statistics.median(shares), 4),
    }


def _step(
    options: argparse.Namespace, batch_size: int, with_center_loss: bool
) -> tuple[Callable[[], float], float]:
    """A function that times `options.steps` training steps, and the FLOPs of one."""
    import jax
    import keras
    import numpy as np

    from trainer_module.config import (
        AugmentationConfig,
        CenterLossConfig,
        ModelConfig,
        TrainingConfig,
        TripletConfig,
    )
    from trainer_module.embedding_model import EmbeddingModel
    from trainer_module.joint_loss import JointLoss

    size = options.input_size
    keras.config.set_dtype_policy(options.precision)
    training = TrainingConfig(
        epochs=1, batch_size=batch_size, images_per_class=0, input_size=None,
        learning_rate=1e-3, warmup_share=0.0, weight_decay=1e-4, backbone_rate=1.0,
        head_epochs=0, frozen_blocks=0, drop_path=None,
        cross_entropy_weight=1.0, label_smoothing=0.1,
        center_loss=CenterLossConfig(1.0, 0.8, True, 0),
        triplet=TripletConfig(0.0, 0.2, "batch_hard", True),
        augmentation=AugmentationConfig(1.0, False, 0.0, 0.0), cache_mb=0,
        precision=options.precision, seed=0,
    )  # fmt: skip
    model = EmbeddingModel(
        ModelConfig(options.backbone, "none", size, 256, 0.2, "cosine", 16.0, "embedding", False),
        num_classes=options.classes,
        joint_loss=JointLoss(training, options.classes),
    )
    if not with_center_loss:
        nothing = lambda *_, **__: keras.ops.zeros(())  # noqa: E731
        model.joint_loss.center_loss.call = nothing  # type: ignore[method-assign]
    optimizer = keras.optimizers.AdamW(1e-3)
    optimizer.build(model.trainable_variables)
    others = [*model.non_trainable_variables, *model.metrics_variables]

    def loss_of(trainable: Any, state: Any, images: Any, labels: Any) -> tuple[Any, Any]:
        mapping = [
            *zip(model.trainable_variables, trainable, strict=True),
            *zip(others, state, strict=True),
        ]
        with keras.StatelessScope(state_mapping=mapping) as scope:
            outputs = model(images, training=True)
            loss = model.compute_loss(y=labels, y_pred=outputs, training=True)
        return loss, [scope.get_current_value(variable) for variable in others]

    @jax.jit
    def step(trainable: Any, state: Any, moments: Any, images: Any, labels: Any) -> Any:
        (loss, state), gradients = jax.value_and_grad(loss_of, has_aux=True)(
            trainable, state, images, labels
        )
        trainable, moments = optimizer.stateless_apply(moments, gradients, trainable)
        return loss, trainable, state, moments

    rng = np.random.default_rng(0)
    images = jax.device_put(rng.uniform(0, 255, (batch_size, size, size, 3)).astype(np.float32))
    labels = jax.device_put(rng.integers(0, options.classes, batch_size).astype(np.int32))
    held = [
        [variable.value for variable in group]
        for group in (model.trainable_variables, others, optimizer.variables)
    ]
    compiled = step.lower(*held, images, labels).compile()
    shapes = jax.tree.map(
        lambda array: jax.ShapeDtypeStruct(array.shape, array.dtype), (*held, images, labels)
    )
    with jax.default_device(jax.devices("cpu")[0]):
        costs: Any = step.lower(*shapes).cost_analysis()  # of older JAX a list of one
    flops = (costs[0] if isinstance(costs, list) else costs)["flops"]

    def timed() -> float:
        nonlocal held
        started = time.perf_counter()
        for _ in range(options.steps):
            loss, *held = compiled(*held, images, labels)
        jax.block_until_ready(loss)
        return time.perf_counter() - started

    timed()
    return timed, flops


if __name__ == "__main__":
    main()
