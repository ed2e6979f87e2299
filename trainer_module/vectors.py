"""What losses and embedding share about vectors."""

from __future__ import annotations

from typing import Any

from keras import ops


def unit(rows: Any) -> Any:
    """Scales each row of `[B, D]` to length 1; a row of zeros stays zero, with gradient zero."""
    squared = ops.sum(ops.square(rows), axis=-1, keepdims=True)
    # Twice, since the gradient of what is not chosen must be finite too.
    has_length = squared > 1e-24
    scale = ops.rsqrt(ops.where(has_length, squared, 1.0))
    return ops.where(has_length, rows * scale, 0.0)
