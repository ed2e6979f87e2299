"""What the center loss costs: of a training step, and alone with very many classes.

Prints one JSON line:

- `step_ratio`: time of a training step with the center loss over the same step without it; the full
  model (backbone, embedding, cosine head, cross-entropy, optimizer), the sides taking turns, the
  median of the rounds' ratios. The goal is at most 1.02.
- `large`: loss, gradient and update alone at B = 4096, D = 512, C = 100,000: seconds, and how far
  the process's peak memory rises above the memory it has once centers and features are there, in
  units of one copy of the centers (C · D floats). A B × C tensor would be `b_by_c_in_centers` of
  them. (A peak from before, while the centers were made, would hide a smaller one.)

On other machines than this one's CPU the numbers differ; the ratios are what counts.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

LARGE_BATCH, LARGE_DIMENSIONS, LARGE_CLASSES = 4096, 512, 100_000


def main() -> None:
    """Parses the command line, measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15, help="turns of each side (%(default)s)")
    parser.add_argument("--input-size", type=int, default=128, help="pixels (%(default)s)")
    parser.add_argument("--batch-size", type=int, default=32, help="images (%(default)s)")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error("--rounds must be at least 1")
    # Peak memory only rises: the large case has to come first.
    large = large_case()
    step = step_ratio(options.rounds, options.input_size, options.batch_size)
    print(json.dumps({"benchmark": "center_loss", **step, "large": large}))


def large_case() -> dict[str, float]:
    """Loss, gradient and update with very many classes."""
    import numpy as np
    import tensorflow as tf

    from trainer_module.center_loss import CenterLoss

    layer = CenterLoss(LARGE_CLASSES)
    layer.build((None, LARGE_DIMENSIONS))
    rng = np.random.default_rng(0)
    features = tf.Variable(rng.normal(size=(LARGE_BATCH, LARGE_DIMENSIONS)).astype(np.float32))
    labels = tf.constant(rng.integers(0, LARGE_CLASSES, LARGE_BATCH))

    @tf.function
    def step() -> Any:
        with tf.GradientTape() as tape:
            loss = layer(features, labels, training=True)
        return tape.gradient(loss, features)

    step.get_concrete_function()
    held = _resident_bytes()
    step()
    times = []
    for _ in range(5):
        started = time.perf_counter()
        step().numpy()
        times.append(time.perf_counter() - started)
    centers = 4 * LARGE_CLASSES * LARGE_DIMENSIONS
    return {
        "seconds": round(statistics.median(times), 3),
        "peak_rise_in_centers": round((_peak_bytes() - held) / centers, 2),
        "b_by_c_in_centers": round(4 * LARGE_BATCH * LARGE_CLASSES / centers, 2),
    }


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _resident_bytes() -> int:
    pages = int(pathlib.Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * resource.getpagesize()


def step_ratio(rounds: int, input_size: int, batch_size: int) -> dict[str, Any]:
    """A training step of the full model with the center loss over one without it."""
    import numpy as np
    import tensorflow as tf

    from benchmarks.trainer_config import trainer_config
    from trainer_module.joint_loss import JointLoss
    from trainer_module.training import compiled_model

    config = trainer_config("flowers102", f"model.input_size={input_size}")
    model = compiled_model(config, 102, 10)
    rng = np.random.default_rng(0)
    images = tf.constant(rng.uniform(0, 255, (batch_size, input_size, input_size, 3)), tf.float32)
    labels = tf.constant(rng.integers(0, 102, batch_size))

    def step_with(center_loss: bool) -> Callable[[], float]:
        joint: JointLoss = model.joint_loss
        call = joint.center_loss.call

        @tf.function
        def step() -> Any:
            # While it is traced; the rest of the joint loss is the same on both sides.
            stand_in = call if center_loss else lambda *_, **__: tf.constant(0.0)
            joint.center_loss.call = stand_in  # type: ignore[method-assign]
            with tf.GradientTape() as tape:
                outputs = model(images, training=True)
                loss = joint(outputs["features"], outputs["logits"], labels, training=True)
            joint.center_loss.call = call  # type: ignore[method-assign]
            variables = model.trainable_variables
            gradients = tape.gradient(loss, [variable.value for variable in variables])
            model.optimizer.apply(gradients, variables)
            return loss

        def timed() -> float:
            started = time.perf_counter()
            step().numpy()
            return time.perf_counter() - started

        timed()
        return timed

    with_loss, without = step_with(True), step_with(False)
    pairs = [
        (with_loss(), without()) if turn % 2 else (without(), with_loss())[::-1]
        for turn in range(rounds)
    ]
    ratios = [one / other for one, other in pairs]
    return {
        "step_ratio": round(statistics.median(ratios), 4),
        "step_ratio_quartiles": [round(q, 4) for q in statistics.quantiles(ratios, n=4)[::2]]
        if rounds > 1
        else None,
        "images_per_second": round(batch_size / statistics.median(one for one, _ in pairs), 1),
    }


if __name__ == "__main__":
    main()
