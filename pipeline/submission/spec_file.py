"""Reads a compiled pipeline, and tells which platform it was compiled for.

A PipelineJob (`{pipelineSpec, runtimeConfig}`, JSON) is what Vertex AI takes, a PipelineSpec
(YAML) what Kubeflow Pipelines takes. Not for executing either here: `pipeline/spec_executor`.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import pathlib
from typing import Any

from pipeline.submission.errors import SubmissionError

VERTEX = "vertex"
KUBEFLOW = "kfp"


@dataclasses.dataclass(frozen=True)
class SpecFile:
    """A compiled pipeline.

    Attributes:
        path: Of the file.
        platform: `vertex` or `kfp`.
        document: The whole PipelineJob or PipelineSpec as JSON values.
        platform_settings: The PlatformSpec that may follow a PipelineSpec, as JSON values.
    """

    path: str
    platform: str
    document: dict[str, Any]
    platform_settings: dict[str, Any] | None = None

    @property
    def pipeline(self) -> dict[str, Any]:
        """The PipelineSpec as JSON values."""
        return self.document["pipelineSpec"] if self.platform == VERTEX else self.document

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self.pipeline["pipelineInfo"]["name"]

    @property
    def pipeline_root(self) -> str | None:
        """Where artifacts go if nothing else is said."""
        compiled = self.document.get("runtimeConfig", {}).get("gcsOutputDirectory")
        return self.pipeline.get("defaultPipelineRoot") or compiled

    def without_cache(self) -> SpecFile:
        """Returns the same pipeline with every task to be repeated, changed or not."""
        changed = dataclasses.replace(self, document=copy.deepcopy(self.document))
        pipeline = changed.pipeline
        for component in (pipeline["root"], *pipeline.get("components", {}).values()):
            for task in component.get("dag", {}).get("tasks", {}).values():
                task["cachingOptions"] = {"enableCache": False}
        return changed


def read_spec(path: str) -> SpecFile:
    """Reads a file.

    Args:
        path: Of JSON or YAML; also a URL that TensorFlow reads (`gs://…`).

    Raises:
        SubmissionError: It is not there, or is no compiled pipeline; says where it is wrong.
    """
    text = _read(path)
    document, *others = _parsed(path, text) or [None]
    if not all(isinstance(one, dict) for one in (document, *others)):
        raise SubmissionError(f"{path} is no compiled pipeline: it holds no mapping")
    if len(others) > 1:
        raise SubmissionError(f"{path} holds more than a PipelineSpec and a PlatformSpec")
    platform = VERTEX if "pipelineSpec" in document else KUBEFLOW
    pipeline = document["pipelineSpec"] if platform == VERTEX else document
    _check(path, pipeline)
    if not pipeline.get("pipelineInfo", {}).get("name"):
        raise SubmissionError(f"{path} is no compiled pipeline: pipelineInfo.name is missing")
    if not pipeline.get("root", {}).get("dag", {}).get("tasks"):
        raise SubmissionError(f"{path} holds a pipeline without tasks (root.dag.tasks)")
    return SpecFile(path, platform, document, *others)


def _read(path: str) -> str:
    if "://" not in path:
        try:
            return pathlib.Path(path).read_text("utf-8")
        except UnicodeDecodeError as error:
            raise SubmissionError(f"{path} is no text, and so no compiled pipeline") from error
        except OSError as error:
            raise SubmissionError(f"{path} cannot be read: {error.strerror}") from error
    import tensorflow as tf

    try:
        with tf.io.gfile.GFile(path) as file:
            return file.read()
    except (tf.errors.OpError, UnicodeDecodeError) as error:
        raise SubmissionError(f"{path} cannot be read: {error}") from error


def _parsed(path: str, text: str) -> list[Any]:
    """The documents of a file, of which JSON has one."""
    try:
        return [json.loads(text)]
    except json.JSONDecodeError as json_error:
        if path.endswith(".json"):
            raise SubmissionError(f"{path} is no JSON: {json_error}") from json_error
    import yaml

    try:
        return list(yaml.safe_load_all(text))
    except yaml.YAMLError as error:
        raise SubmissionError(f"{path} is neither JSON nor YAML: {error}") from error


def _check(path: str, pipeline: Any) -> None:
    """Compares with the official definition of a PipelineSpec."""
    try:
        from kfp.pipeline_spec import pipeline_spec_pb2
    except ImportError as error:
        raise SubmissionError(
            "submitting needs kfp-pipeline-spec, which is not in this environment: "
            "pip install 'kfp-pipeline-spec>=0.2.2,<3'"
        ) from error
    from google.protobuf import json_format

    try:
        json_format.ParseDict(pipeline, pipeline_spec_pb2.PipelineSpec())
    except (json_format.ParseError, TypeError, AttributeError) as error:
        raise SubmissionError(f"{path} is no compiled pipeline: {error}") from error
