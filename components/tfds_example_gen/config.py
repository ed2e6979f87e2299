"""What the ExampleGen executor is told beside the folder, packed as TFX passes it on."""

from __future__ import annotations

import dataclasses
from typing import Any

from google.protobuf import any_pb2, json_format, struct_pb2
from tfx import v1 as tfx


@dataclasses.dataclass(frozen=True)
class IngestionConfig:
    """How images are checked; see the settings of the same names.

    Attributes:
        canonical_size: Shorter side of canonical images in pixels; a photo that cannot be reduced
            to it is a bad one.
        max_bad_share: Share of the images that may be bad.
        drop_leaks: Whether copies of an image of an earlier split are left out.
        held_out_classes: Share of classes kept whole for the test split.
        held_out_only: Whether the test split has no others.
        held_out_seed: Which classes these are.
        code: Digest of the code; part of the cache key.
    """

    canonical_size: int
    max_bad_share: float
    drop_leaks: bool
    code: str
    held_out_classes: float = 0.0
    held_out_only: bool = False
    held_out_seed: int = 0

    def pack(self) -> tfx.proto.CustomConfig:
        """Returns the form that `FileBasedExampleGen` takes."""
        values = struct_pb2.Struct()
        values.update(dataclasses.asdict(self))
        packed = any_pb2.Any()
        packed.Pack(values)
        return tfx.proto.CustomConfig(custom_config=packed)

    @classmethod
    def unpack(cls, exec_properties: dict[str, Any]) -> IngestionConfig:
        """Takes it back from what an executor gets."""
        packed = json_format.Parse(exec_properties["custom_config"], tfx.proto.CustomConfig())
        values = struct_pb2.Struct()
        packed.custom_config.Unpack(values)
        fields = json_format.MessageToDict(values)
        # A Struct knows floating-point numbers only.
        whole = {name: int(fields[name]) for name in ("canonical_size", "held_out_seed")}
        return cls(**{**fields, **whole})
