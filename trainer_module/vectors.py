"""What losses and embedding share about vectors."""

from __future__ import annotations

from typing import Any

from keras import ops


def unit(rows: Any) -> Any:
    """Scales each row of `[B, D]` to length 1; a row of zeros stays zero, with gradient zero."""
    squared = ops.sum(ops.square(rows), axis=-1, keepdims=True)
    return rows * ops.rsqrt(ops.maximum(squared, 1e-24))
