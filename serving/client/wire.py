"""TensorFlow Serving's gRPC messages, as far as a client needs them, without TensorFlow.

The official messages (package tensorflow-serving-api) import TensorFlow, some hundred megabytes of
it. Fields and their numbers here are those of tensorflow_serving/apis/{model,predict,
get_model_status,get_model_metadata}.proto and tensorflow/core/framework/{tensor,tensor_shape,
types}.proto, in messages of our own: on the wire only numbers count, and enumerations are integers.
"""

from __future__ import annotations

import functools
from types import SimpleNamespace
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool

from serving.library_lines import message_class

_PACKAGE = "flowersim.client"
_SCALARS = {"int32", "int64", "bool", "string", "bytes", "float", "double"}
# Name of a message: its fields as "NUMBER TYPE NAME"; a * makes it a list, a @ a map by name.
_MESSAGES = {
    "Int64": ["1 int64 value"],
    "ModelSpec": [
        "1 string name",
        "2 Int64 version",
        "3 string signature_name",
        "4 string version_label",
    ],
    "Dim": ["1 int64 size"],
    "Shape": ["2 *Dim dim", "3 bool unknown_rank"],
    "Tensor": [
        "1 int32 dtype",
        "2 Shape tensor_shape",
        "4 bytes tensor_content",
        "5 *float float_val",
        "6 *double double_val",
        "7 *int32 int_val",
        "8 *bytes string_val",
        "10 *int64 int64_val",
        "11 *bool bool_val",
    ],
    "PredictRequest": ["1 ModelSpec model_spec", "2 @Tensor inputs", "3 *string output_filter"],
    "PredictResponse": ["1 @Tensor outputs", "2 ModelSpec model_spec"],
    "Status": ["1 int32 error_code", "2 string error_message"],
    "VersionStatus": ["1 int64 version", "2 int32 state", "3 Status status"],
    "StatusRequest": ["1 ModelSpec model_spec"],
    "StatusResponse": ["1 *VersionStatus model_version_status"],
    "Any": ["1 string type_url", "2 bytes value"],
    "MetadataRequest": ["1 ModelSpec model_spec", "2 *string metadata_field"],
    "MetadataResponse": ["1 ModelSpec model_spec", "2 @Any metadata"],
    "TensorInfo": ["1 string name", "2 int32 dtype", "3 Shape tensor_shape"],
    "SignatureDef": ["1 @TensorInfo inputs", "2 @TensorInfo outputs", "3 string method_name"],
    "SignatureDefMap": ["1 @SignatureDef signature_def"],
}
# TensorFlow's DataType, by number.
DTYPES = {
    1: "float",
    2: "double",
    3: "int32",
    4: "uint8",
    5: "int16",
    6: "int8",
    7: "string",
    8: "complex64",
    9: "int64",
    10: "bool",
    14: "bfloat16",
    17: "uint16",
    19: "half",
    22: "uint32",
    23: "uint64",
}


@functools.cache
def messages() -> Any:
    r"""The message classes, as attributes.

    >>> spec = messages().ModelSpec(name="flowers", signature_name="embed")
    >>> spec.SerializeToString()
    b'\n\x07flowers\x1a\x05embed'
    """
    file = descriptor_pb2.FileDescriptorProto(
        name="flowersim/client/wire.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _MESSAGES.items():
        _add_message(file.message_type.add(name=name), fields)
    # A pool of our own: whoever has the official messages too shall not notice.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    found = {}
    for name in _MESSAGES:
        descriptor = pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")
        found[name] = message_class(descriptor, pool)
    return SimpleNamespace(**found)


def _add_message(message: Any, fields: list[str]) -> None:
    for field in fields:
        number, kind, name = field.split()
        if kind.startswith("@"):
            entry = f"{name.title().replace('_', '')}Entry"
            _add_message(
                message.nested_type.add(name=entry), ["1 string key", f"2 {kind[1:]} value"]
            )
            message.nested_type[-1].options.map_entry = True
            kind = f"*{message.name}.{entry}"
        _add_field(message, int(number), kind, name)


def _add_field(message: Any, number: int, kind: str, name: str) -> None:
    proto = descriptor_pb2.FieldDescriptorProto
    label = proto.LABEL_REPEATED if kind.startswith("*") else proto.LABEL_OPTIONAL
    field = message.field.add(name=name, number=number, label=label)
    kind = kind.removeprefix("*")
    if kind in _SCALARS:
        field.type = getattr(proto, f"TYPE_{kind.upper()}")
    else:
        field.type, field.type_name = proto.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
