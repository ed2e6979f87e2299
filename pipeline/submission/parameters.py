"""The values of a compiled pipeline's parameters, as it is submitted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.spec_executor.loader import parse_spec
from pipeline.spec_executor.parameters import resolve_parameters
from pipeline.submission.errors import SubmissionError
from pipeline.submission.spec_file import SpecFile


def parameter_values(spec: SpecFile, overrides: Sequence[str]) -> dict[str, Any]:
    """Finds all values: the compiled ones, and what is set.

    Args:
        spec: The compiled pipeline.
        overrides: `NAME=VALUE`, or `NAME.a.b=VALUE` for one value inside a parameter.

    Raises:
        SubmissionError: The spec's schema is too old for parameters to be set.
        ParameterError: A name that the pipeline has not, or a value that does not fit.
    """
    schema = spec.pipeline.get("schemaVersion", "")
    if tuple(int(part) for part in schema.split(".") if part.isdecimal()) < (2, 1):
        if overrides:
            raise SubmissionError(
                f"{spec.path} was compiled for schema {schema or '2.0'}, whose parameters cannot "
                "be set here; compile it anew with flowersim compile"
            )
        return {}
    root = spec.pipeline["root"]
    # No more than what declares parameters: the platforms know more of the rest than we do.
    declared: dict[str, Any] = {
        "pipelineSpec": {
            "pipelineInfo": {"name": spec.name},
            "root": {"inputDefinitions": root.get("inputDefinitions", {}), "dag": {}},
        }
    }
    if "runtimeConfig" in spec.document:
        declared["runtimeConfig"] = spec.document["runtimeConfig"]
    return resolve_parameters(parse_spec(declared, spec.path), overrides)
