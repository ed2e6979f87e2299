"""The message that makes a job on Vertex AI Pipelines; not for sending it (`vertex.py`)."""

from __future__ import annotations

import datetime
import re
from typing import Any

from pipeline.submission.errors import SubmissionError
from pipeline.submission.jobs import JobRequest
from pipeline.submission.spec_file import SpecFile

_LABEL = re.compile(r"[a-z0-9_-]{0,63}")


def pipeline_job(request: JobRequest) -> Any:
    """Builds the `google.cloud.aiplatform_v1.types.PipelineJob` of a request.

    What the compiled PipelineJob says stays as it is where the request says nothing.

    Raises:
        SubmissionError: A label, or the spec, is not as Vertex AI wants it.
    """
    from google.cloud.aiplatform_v1.types import PipelineJob
    from google.protobuf import json_format

    spec = request.spec if request.cache else request.spec.without_cache()
    message = PipelineJob()
    try:
        json_format.ParseDict(spec.document, PipelineJob.pb(message))
    except json_format.ParseError as error:
        raise SubmissionError(f"{request.spec.path} is no PipelineJob: {error}") from error
    message.display_name = request.title
    for key, value in request.labels.items():
        if not (key and key[0].isalpha() and _LABEL.fullmatch(key) and _LABEL.fullmatch(value)):
            raise SubmissionError(
                f"label {key}={value}: keys and values have up to 63 of a-z, 0-9, _ and -, and "
                "keys begin with a letter"
            )
        message.labels[key] = value
    root = request.pipeline_root or request.spec.pipeline_root
    if not (root or "").startswith("gs://"):
        raise SubmissionError(
            f"Vertex AI keeps artifacts in a bucket, and the pipeline root is {root or 'not set'}: "
            "give --pipeline-root gs://BUCKET/FOLDER, or compile with deployment.pipeline_root"
        )
    message.runtime_config.gcs_output_directory = root
    _set_parameters(message, request)
    if request.service_account:
        message.service_account = request.service_account
    if request.network:
        message.network = request.network
    return message


def new_job_id(spec: SpecFile) -> str:
    """Returns an id made of a pipeline's name and the time."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return job_id(spec, f"{now:%Y%m%d%H%M%S}")


def job_id(spec: SpecFile, key: str) -> str:
    """Returns an id made of a pipeline's name and a key of letters and digits."""
    name = re.sub("[^-0-9a-z]+", "-", spec.name.lower()).strip("-0123456789") or "pipeline"
    return f"{name[:80]}-{key}"


def _set_parameters(message: Any, request: JobRequest) -> None:
    from google.protobuf import json_format
    from google.protobuf.struct_pb2 import Value

    values = type(message).pb(message).runtime_config.parameter_values
    for name, value in request.parameters.items():
        values[name].CopyFrom(json_format.ParseDict(value, Value()))
