"""A pushed version's folder: what it is, and copying it to where Vertex AI can read it."""

from __future__ import annotations

import dataclasses
import re

from pipeline.vertex_ai.errors import VertexError

_MODEL_FILE = "saved_model.pb"


@dataclasses.dataclass(frozen=True)
class PushedVersion:
    """A version that the pipeline has pushed.

    Attributes:
        folder: With the model; local or a URL.
        number: Its name as a number.
        tensorflow: Version of TensorFlow that saved it, as `2.16.2`; empty if it does not say.
    """

    folder: str
    number: int
    tensorflow: str

    @property
    def in_bucket(self) -> bool:
        """Whether Vertex AI can read it where it is."""
        return self.folder.startswith("gs://")


def read_version(folder: str) -> PushedVersion:
    """Looks at a version's folder.

    Args:
        folder: `…/VERSION` with a SavedModel; local or a URL that TensorFlow reads.

    Raises:
        VertexError: There is no SavedModel, or the folder's name is no number.
    """
    folder = folder.rstrip("/")
    name = folder.rpartition("/")[2]
    if not re.fullmatch("[0-9]+", name):
        raise VertexError(
            f"{folder} is no pushed version: their folders have numbers for names, for instance "
            "gs://BUCKET/serving/flowers/1795523810"
        )
    import tensorflow as tf
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import saved_model_pb2

    try:
        with tf.io.gfile.GFile(f"{folder}/{_MODEL_FILE}", "rb") as file:
            model = saved_model_pb2.SavedModel.FromString(file.read())
    except tf.errors.NotFoundError as error:
        raise VertexError(f"{folder} holds no {_MODEL_FILE}, so it is no pushed version") from error
    except (tf.errors.OpError, DecodeError) as error:
        raise VertexError(f"{folder}/{_MODEL_FILE} cannot be read: {error}") from error
    infos = [graph.meta_info_def.tensorflow_version for graph in model.meta_graphs]
    return PushedVersion(folder, int(name), next(iter(infos), ""))


def stage(version: PushedVersion, staging: str, name: str) -> str:
    """Copies a version to where it is the only one, as TensorFlow Serving wants it.

    Args:
        version: The version.
        staging: Folder in a bucket that all staged models are below.
        name: The model's.

    Returns:
        `STAGING/NAME/VERSION`, in which the version's own folder lies. A copy that is there and
        complete is taken as it is.

    Raises:
        VertexError: It cannot be copied; what was copied is not taken for complete.
    """
    import tensorflow as tf

    base = f"{staging.rstrip('/')}/{name}/{version.number}"
    target = f"{base}/{version.number}"
    try:
        if tf.io.gfile.exists(f"{target}/{_MODEL_FILE}"):
            return base
        files = [
            f"{place.rstrip('/')}/{file}".removeprefix(f"{version.folder}/")
            for place, _, files in tf.io.gfile.walk(version.folder)
            for file in files
        ]
        # The model's file last: without it a server, and the next call, take it for unfinished.
        for file in sorted(files, key=lambda file: (file == _MODEL_FILE, file)):
            tf.io.gfile.makedirs(f"{target}/{file}".rpartition("/")[0])
            tf.io.gfile.copy(f"{version.folder}/{file}", f"{target}/{file}", overwrite=True)
    except tf.errors.OpError as error:
        raise VertexError(
            f"{version.folder} cannot be copied to {target}: {error.message}"
        ) from error
    return base
