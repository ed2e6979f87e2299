"""Completes the curated schema with the classes of a dataset and writes it for ImportSchemaGen."""

from __future__ import annotations

import hashlib
import importlib.resources
import os
import pathlib
from collections.abc import Sequence

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2


def curated_schema(class_names: Sequence[str], splits: Sequence[str]) -> schema_pb2.Schema:
    """Returns the schema of examples with these classes and splits.

    Args:
        class_names: Names in the order of the label; the label's domain is `0 … len − 1`.
        splits: Allowed values of the `split` feature.
    """
    template = importlib.resources.files("components.example_schema") / "schema.pbtxt"
    schema = text_format.Parse(template.read_text("utf-8"), schema_pb2.Schema())
    features = {feature.name: feature for feature in schema.feature}
    features["label"].int_domain.CopyFrom(
        schema_pb2.IntDomain(name="label", min=0, max=len(class_names) - 1, is_categorical=True)
    )
    features["class_name"].string_domain.CopyFrom(
        schema_pb2.StringDomain(name="class_name", value=list(class_names))
    )
    features["split"].string_domain.CopyFrom(
        schema_pb2.StringDomain(name="split", value=list(splits))
    )
    return schema


def write_schema(
    folder: str | os.PathLike[str], class_names: Sequence[str], splits: Sequence[str]
) -> str:
    """Writes the curated schema to `FOLDER/<digest>/schema.pbtxt` and returns that path.

    The digest in the path makes ImportSchemaGen, whose cache key is the path, see a change.
    """
    text = text_format.MessageToString(curated_schema(class_names, splits), as_utf8=True)
    digest = hashlib.sha256(text.encode("utf-8")).hexdigest()[:12]
    path = pathlib.Path(folder) / digest / "schema.pbtxt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return str(path)
