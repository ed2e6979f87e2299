"""Sums over the replicas of a `tf.distribute` strategy, and nothing else about distribution.

Keras adds up the gradients of all replicas. A loss is therefore a replica's part of the whole: its
own numerator over the denominator of all, so that the parts sum to the loss of the global batch.
On other backends than TensorFlow there is one program for all devices, and every function here
returns what it is given.
"""

from __future__ import annotations

from typing import Any

import keras


def sum_over_replicas(values: Any) -> Any:
    """Adds up each tensor of a list over the replicas; on one replica returns it as it is."""
    context = _context()
    if context is None:
        return values
    import tensorflow as tf

    return context.all_reduce(tf.distribute.ReduceOp.SUM, values)


def number_of_replicas() -> int:
    """Returns how many replicas share a step."""
    context = _context()
    return 1 if context is None else context.num_replicas_in_sync


def _context() -> Any:
    """The replica context if several replicas run, None otherwise."""
    if keras.backend.backend() != "tensorflow":
        return None
    import tensorflow as tf

    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return None
    return context
