"""TensorFlow Serving's batching parameters file: a `BatchingParameters` message in text form.

    max_batch_size { value: 32 }
    batch_timeout_micros { value: 2000 }
    max_enqueued_batches { value: 64 }
    num_batch_threads { value: 2 }

The fields are those of tensorflow/serving, `servables/tensorflow/session_bundle_config.proto`. Not
for what is done with them (`batching.py`).
"""

from __future__ import annotations

import dataclasses
import os

from serving import text_messages
from serving.errors import invalid_argument

_INTEGERS: text_messages.Fields = {
    "max_batch_size": (1, "Int64Value"),
    "batch_timeout_micros": (2, "Int64Value"),
    "max_enqueued_batches": (3, "Int64Value"),
    "num_batch_threads": (4, "Int64Value"),
    "max_execution_batch_size": (9, "Int64Value"),
}
_MESSAGES: dict[str, text_messages.Fields] = {
    "BatchingParameters": {
        **_INTEGERS,
        # Only a name for monitoring there; threads have no names here.
        "thread_pool_name": (5, "StringValue"),
        "allowed_batch_sizes": (6, "repeated int64"),
        "pad_variable_length_inputs": (7, "bool"),
        "enable_large_batch_splitting": (8, "BoolValue"),
    }
}


@dataclasses.dataclass(frozen=True)
class BatchingParameters:
    """How requests are put together.

    Attributes:
        max_batch_size: Rows of a batch at most; a larger request runs by itself, or in parts.
        batch_timeout_micros: How long a request waits for others while a thread is free, in
            microseconds.
        max_enqueued_batches: Batches that wait, for each signature and version; requests beyond are
            refused.
        num_batch_threads: Batches that run at the same time.
        allowed_batch_sizes: Sizes to which batches are padded, ascending, the last one
            `max_batch_size`; empty for any.
        pad_variable_length_inputs: Whether inputs of different lengths are padded to go together.
        enable_large_batch_splitting: Whether larger requests are cut into parts.
        max_execution_batch_size: Rows of such a part, `max_batch_size` at most; 0 for as many.

    Raises:
        ServingError: INVALID_ARGUMENT for numbers that make no sense.
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = os.cpu_count() or 1
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False
    enable_large_batch_splitting: bool = False
    max_execution_batch_size: int = 0

    def __post_init__(self) -> None:
        for name in ("max_batch_size", "max_enqueued_batches", "num_batch_threads"):
            if getattr(self, name) < 1:
                raise invalid_argument(f"{name} must be at least 1; was {getattr(self, name)}")
        if self.batch_timeout_micros < 0:
            raise invalid_argument("batch_timeout_micros must not be negative")
        if not 0 <= self.max_execution_batch_size <= self.max_batch_size:
            raise invalid_argument("max_execution_batch_size must not exceed max_batch_size")
        sizes = self.allowed_batch_sizes
        if sizes and (sizes[0] < 1 or any(a >= b for a, b in zip(sizes, sizes[1:], strict=False))):
            raise invalid_argument("allowed_batch_sizes entries must be in increasing order")
        if sizes and sizes[-1] != self.max_batch_size:
            raise invalid_argument("The last entry of allowed_batch_sizes must be max_batch_size")


def parse(text: str) -> BatchingParameters:
    """Reads a parameters file.

    Raises:
        ServingError: INVALID_ARGUMENT for whatever is wrong with it, an unknown option
            among it.
    """
    message = text_messages.parse(text, _MESSAGES, "BatchingParameters")
    given = {name: getattr(message, name).value for name in _INTEGERS if message.HasField(name)}
    return BatchingParameters(
        **given,
        allowed_batch_sizes=tuple(message.allowed_batch_sizes),
        pad_variable_length_inputs=message.pad_variable_length_inputs,
        enable_large_batch_splitting=message.enable_large_batch_splitting.value,
    )
