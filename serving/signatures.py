"""What a SavedModel's signature takes and gives, without TensorFlow's types.

Not for running it (`servable.py`) nor for reading JSON (`json_tensors.py`): both only look here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from serving.errors import invalid_argument

DEFAULT = "serving_default"


@dataclasses.dataclass(frozen=True)
class TensorSpec:
    """One named tensor of a signature.

    Attributes:
        dtype: TensorFlow's name of the type: "float", "int64", "string", …
        shape: Sizes, None where any size will do; None for the whole if the rank is unknown.
    """

    dtype: str
    shape: tuple[int | None, ...] | None

    def accepts(self, shape: tuple[int, ...]) -> bool:
        """Whether a tensor of this shape fits.

        >>> TensorSpec("float", (None, 3)).accepts((5, 3))
        True
        >>> TensorSpec("float", (None, 3)).accepts((5,))
        False
        """
        if self.shape is None:
            return True
        return len(shape) == len(self.shape) and all(
            wanted in (None, size) for wanted, size in zip(self.shape, shape, strict=True)
        )


@dataclasses.dataclass(frozen=True)
class Signature:
    """The named inputs and outputs of one signature, each sorted by name."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]

    def check(self, inputs: Mapping[str, np.ndarray], *, shapes: bool = True) -> None:
        """Compares names and shapes with the signature, before any of the graph runs.

        Args:
            inputs: By name, of the right dtypes.
            shapes: Whether shapes count.

        Raises:
            ServingError: INVALID_ARGUMENT, if a name is missing or unknown or a shape does not fit.
        """
        sent, wanted = set(inputs), set(self.inputs)
        if sent != wanted:
            raise invalid_argument(
                f"input size does not match signature: {len(sent)}!={len(wanted)} "
                f"len({_names(sent)}) != len({_names(wanted)}). "
                f"Sent extra: {_names(sent - wanted)}. "
                f"Missing but required: {_names(wanted - sent)}."
            )
        for name, spec in self.inputs.items():
            if shapes and not spec.accepts(inputs[name].shape):
                raise invalid_argument(
                    f"input {name} has shape {sizes(inputs[name].shape)}, "
                    f"but the signature expects {sizes(spec.shape)}"
                )


def from_signature_def(signature_def: Any) -> Signature:
    """Reads a `SignatureDef` message.

    Args:
        signature_def: A `tensorflow.SignatureDef`, as saved in `saved_model.pb`.
    """
    return Signature(_specs(signature_def.inputs), _specs(signature_def.outputs))


def _specs(tensor_infos: Mapping[str, Any]) -> dict[str, TensorSpec]:
    return {name: _spec(tensor_infos[name]) for name in sorted(tensor_infos)}


def _spec(info: Any) -> TensorSpec:
    field = info.DESCRIPTOR.fields_by_name["dtype"]
    # The enum has DT_FLOAT for what TensorFlow's messages, and users, call float.
    dtype = field.enum_type.values_by_number[info.dtype].name.removeprefix("DT_").lower()
    if info.tensor_shape.unknown_rank:
        return TensorSpec(dtype, None)
    return TensorSpec(
        dtype, tuple(dim.size if dim.size >= 0 else None for dim in info.tensor_shape.dim)
    )


def _names(names: set[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"


def sizes(shape: tuple[int | None, ...] | None) -> str:
    """A shape as messages show it: [2,3], with ? for sizes that are not fixed."""
    if shape is None:
        return "[?]"
    return "[" + ",".join("?" if size is None else str(size) for size in shape) + "]"
