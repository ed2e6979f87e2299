"""The container that serves a model on Vertex AI.

Either one of Vertex AI's own, which need a model of their TensorFlow version or an earlier one, or
an image with TensorFlow Serving's flags: TensorFlow Serving itself, or the embedded server.
"""

from __future__ import annotations

import re
from typing import Any

from pipeline.registry.pushed_version import PushedVersion
from pipeline.vertex_ai.errors import VertexError

_OWN = re.compile(r"(?:us|europe|asia)-docker\.pkg\.dev/vertex-ai(?:-restricted)?/prediction/")
_PREBUILT = re.compile(r"/tf2-(?:cpu|gpu)\.(\d+)-(\d+):")
_HTTP_PORT = 8080


def is_own(image: str) -> bool:
    """Whether an image is one of Vertex AI's, which take a version's folder as it is."""
    return bool(_OWN.match(image))


def check_image(image: str | None, version: PushedVersion) -> str:
    """Makes sure that an image can serve a version.

    Raises:
        VertexError: None was given, or one for an earlier TensorFlow.
    """
    if not image:
        raise VertexError(
            f"which container is to serve it? Vertex AI's own end at TensorFlow 2.15, and this "
            f"model was saved by {version.tensorflow or 'another'}: give --image with a copy of "
            "tensorflow/serving, or of the embedded server (serving/deploy/embedded), in Artifact "
            "Registry"
        )
    found = _PREBUILT.search(image) if is_own(image) else None
    if found:
        can = (int(found[1]), int(found[2]))
        saved = tuple(int(part) for part in version.tensorflow.split(".")[:2] if part.isdecimal())
        if saved > can:
            raise VertexError(
                f"{image} has TensorFlow {can[0]}.{can[1]}, and the model was saved by "
                f"{version.tensorflow}: give --image with that version or a later one"
            )
    return image


def container_spec(image: str, name: str) -> Any:
    """Returns the `ModelContainerSpec` of a model.

    Args:
        image: Checked by `check_image`.
        name: What the model is called in requests to an image that is not Vertex AI's own.
    """
    from google.cloud.aiplatform_v1 import types

    if is_own(image):
        return types.ModelContainerSpec(image_uri=image)
    return types.ModelContainerSpec(
        image_uri=image,
        # After the flags that both images set themselves, which these replace. Vertex AI puts in
        # where it has copied the model.
        args=[
            f"--model_name={name}",
            "--model_base_path=$(AIP_STORAGE_URI)",
            f"--rest_api_port={_HTTP_PORT}",
        ],
        ports=[{"container_port": _HTTP_PORT}],
        predict_route=f"/v1/models/{name}:predict",
        # Answered only when the model is loaded, while the model's status is always.
        health_route=f"/v1/models/{name}/metadata",
    )
