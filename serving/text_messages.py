"""Reads protobuf messages in text form that no installed package has the classes of.

TensorFlow Serving's files for batching and monitoring are such messages; tensorflow-serving-api
brings neither. What a message looks like is told in a few words:

    {"Point": {"x": (1, "int64"), "label": (2, "StringValue"), "weights": (3, "repeated double")}}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serving.errors import invalid_argument

Fields = Mapping[str, tuple[int, str]]

_SCALARS = ("int64", "bool", "string", "double")
_PACKAGE = "flowersim"


def parse(text: str, messages: Mapping[str, Fields], root: str) -> Any:
    """Reads a message.

    Args:
        text: In protobuf's text form.
        messages: The fields of each message by name: number and type, a scalar's, the name of one
            of `google.protobuf`'s wrappers, or of another of these messages.
        root: Name of the message in the text.

    Raises:
        ServingError: INVALID_ARGUMENT for text that is not such a message.

    >>> parse("x: 3", {"Point": {"x": (1, "int64")}}, "Point").x
    3
    """
    from google.protobuf import descriptor_pool, message_factory, text_format, wrappers_pb2

    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(_file(messages, wrappers_pb2.DESCRIPTOR.name))
    descriptor = pool.FindMessageTypeByName(f"{_PACKAGE}.{root}")
    try:
        return text_format.Parse(text, message_factory.GetMessageClass(descriptor)())
    except text_format.ParseError as error:
        raise invalid_argument(f"not {root}: {error}".replace(f"{_PACKAGE}.", "")) from None


def _file(messages: Mapping[str, Fields], wrappers: str) -> Any:
    from google.protobuf import descriptor_pb2

    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name=f"{_PACKAGE}.proto", package=_PACKAGE, syntax="proto3", dependency=[wrappers]
    )
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for field_name, (number, kind) in fields.items():
            field = message.field.add(name=field_name, number=number, label=kinds.LABEL_OPTIONAL)
            if kind.startswith("repeated "):
                field.label, kind = kinds.LABEL_REPEATED, kind.removeprefix("repeated ")
            if kind in _SCALARS:
                field.type = kinds.Type.Value(f"TYPE_{kind.upper()}")
            else:
                field.type = kinds.TYPE_MESSAGE
                package = _PACKAGE if kind in messages else "google.protobuf"
                field.type_name = f".{package}.{kind}"
    return file
