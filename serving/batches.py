"""Rows of several requests in one batch and back: arrays only, no queues (`batching.py`)."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from serving.signatures import Signature

Arrays = Mapping[str, np.ndarray]


def rows_of(inputs: Arrays, signature: Signature) -> int:
    """How many rows a request has; 0 if it cannot be part of a batch.

    It can where all inputs have the same first dimension, of which the signature fixes no size.

    >>> from serving.signatures import TensorSpec
    >>> signature = Signature({"x": TensorSpec("float", (None, 2))}, {})
    >>> rows_of({"x": np.zeros((5, 2), np.float32)}, signature)
    5
    """
    sizes = set()
    for name, spec in signature.inputs.items():
        array = inputs[name]
        if array.ndim == 0 or not spec.shape or spec.shape[0] is not None:
            return 0
        sizes.add(len(array))
    return sizes.pop() if len(sizes) == 1 else 0


def kind_of(inputs: Arrays, *, pad: bool) -> Hashable:
    """Requests of equal kinds can be put together.

    Args:
        inputs: Of one request.
        pad: Whether dimensions other than the first may differ.
    """
    return tuple(
        (name, array.ndim if pad else array.shape[1:]) for name, array in sorted(inputs.items())
    )


def joined(requests: Sequence[Arrays], allowed_sizes: Sequence[int]) -> dict[str, np.ndarray]:
    """The rows of all requests, one after the other.

    Args:
        requests: Of one kind; where their rows differ in shape, they are padded at the end with
            zeros, or empty strings.
        allowed_sizes: The last row is repeated up to the next of them; empty for none.

    >>> joined([{"x": np.array([1, 2])}, {"x": np.array([3])}], [2, 4])
    {'x': array([1, 2, 3, 3])}
    """
    batch = {}
    for name in requests[0]:
        arrays = [request[name] for request in requests]
        if len({array.shape[1:] for array in arrays}) > 1:
            arrays = _padded(arrays)
        total = sum(map(len, arrays))
        missing = next((size for size in allowed_sizes if size >= total), total) - total
        if missing:
            arrays.append(np.repeat(arrays[-1][-1:], missing, axis=0))
        batch[name] = np.concatenate(arrays) if len(arrays) > 1 else arrays[0]
    return batch


def _padded(arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    shape = np.max([array.shape[1:] for array in arrays], axis=0)
    filler = b"" if arrays[0].dtype == object else 0
    missing = [[(0, 0), *((0, gap) for gap in shape - array.shape[1:])] for array in arrays]
    return [
        np.pad(array, gaps, constant_values=filler)
        for array, gaps in zip(arrays, missing, strict=True)
    ]


def split(outputs: Arrays, sizes: Sequence[int], batch_size: int) -> list[Arrays] | None:
    """Each request's rows of the outputs.

    Args:
        outputs: Of the batch.
        sizes: Rows of the requests.
        batch_size: Rows of the batch, at least as many as all requests have.

    Returns:
        The outputs by request; None where one of them does not have a row for each of the batch.

    >>> split({"y": np.array([1, 2, 3, 4])}, [2, 1], 4)
    [{'y': array([1, 2])}, {'y': array([3])}]
    """
    if any(array.ndim == 0 or len(array) != batch_size for array in outputs.values()):
        return None
    ends = np.cumsum(sizes)
    return [
        {name: array[end - size : end] for name, array in outputs.items()}
        for end, size in zip(ends, sizes, strict=True)
    ]
