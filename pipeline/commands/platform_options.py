"""Options that say which platform is meant, and where, for all commands that speak to one."""

from __future__ import annotations

import argparse
import pathlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.submission.jobs import Platform

_VERTEX = ("project", "region", "api_endpoint")
_KUBEFLOW = ("host", "namespace", "token_file", "ca_cert")


def add_platform(parser: argparse.ArgumentParser) -> None:
    """Adds the options of both platforms."""
    vertex = parser.add_argument_group("Vertex AI")
    add_vertex_place(vertex)
    kubeflow = parser.add_argument_group("Kubeflow Pipelines")
    kubeflow.add_argument(
        "--host",
        metavar="URL",
        help="API of the server (default: KF_PIPELINES_ENDPOINT, or that of the cluster this runs "
        "in or kubectl is set to)",
    )
    kubeflow.add_argument(
        "--namespace", help="namespace of the user, in an installation that has several"
    )
    kubeflow.add_argument(
        "--token-file",
        type=pathlib.Path,
        metavar="FILE",
        help="file with a bearer token (default in a pod: the token mounted for it)",
    )
    kubeflow.add_argument(
        "--ca-cert",
        type=pathlib.Path,
        metavar="FILE.pem",
        help="authority that the server's certificate is checked with",
    )


def add_vertex_place(parser: argparse._ActionsContainer) -> None:
    """Adds where on Vertex AI."""
    parser.add_argument(
        "--project", help="Google Cloud project (default: GOOGLE_CLOUD_PROJECT or the credentials')"
    )
    parser.add_argument("--region", help="for instance europe-west4 (default: GOOGLE_CLOUD_REGION)")
    parser.add_argument(
        "--api-endpoint",
        metavar="HOST",
        help="where Vertex AI is reached, with Private Service Connect (default: the region's "
        "public address)",
    )


def platform_of(options: argparse.Namespace, kind: str, why: str) -> Platform:
    """Makes the platform that is wanted.

    Args:
        options: Of a parser that `add_platform` has completed.
        kind: `vertex` or `kfp`.
        why: What decided that, for the message if options of the other platform were given.

    Raises:
        SubmissionError: Options of the other platform were given.
        VertexError: Project or region are not known.
    """
    from pipeline.submission.errors import SubmissionError
    from pipeline.submission.spec_file import VERTEX

    name, others = ("Vertex AI", _KUBEFLOW) if kind == VERTEX else ("Kubeflow Pipelines", _VERTEX)
    wrong = [f"--{key.replace('_', '-')}" for key in others if getattr(options, key) is not None]
    if wrong:
        raise SubmissionError(f"{why}, so it is for {name}, which knows no {', '.join(wrong)}")
    if kind == VERTEX:
        from pipeline.submission.vertex import Vertex
        from pipeline.vertex_ai.clients import find_place

        return Vertex(find_place(options.project, options.region, options.api_endpoint))
    from pipeline.submission.kubeflow import Kubeflow
    from pipeline.submission.kubeflow_client import KubeflowPlace

    return Kubeflow(
        KubeflowPlace(options.host, options.namespace, options.token_file, options.ca_cert)
    )


def platform_meant(options: argparse.Namespace, name: str | None = None) -> Platform:
    """Makes the platform that the options, or a job's or schedule's full name, say.

    Raises:
        SubmissionError: They say of neither, or of both.
    """
    import os

    from pipeline.submission.errors import SubmissionError
    from pipeline.submission.spec_file import KUBEFLOW, VERTEX

    if name and name.startswith("projects/"):
        from pipeline.submission.vertex_names import place_of

        place = place_of(name)
        if place:
            options.project, options.region = place
        return platform_of(options, VERTEX, f"{name} is a name of Vertex AI")
    if any(getattr(options, key) is not None for key in _KUBEFLOW):
        return platform_of(options, KUBEFLOW, "Kubeflow's options are given")
    if any(getattr(options, key) is not None for key in _VERTEX):
        return platform_of(options, VERTEX, "Vertex AI's options are given")
    if os.environ.get("KF_PIPELINES_ENDPOINT"):
        return platform_of(options, KUBEFLOW, "KF_PIPELINES_ENDPOINT is set")
    if os.environ.get("GOOGLE_CLOUD_REGION"):
        return platform_of(options, VERTEX, "GOOGLE_CLOUD_REGION is set")
    raise SubmissionError(
        "on which platform? Give --region (and --project) for Vertex AI, or --host for Kubeflow "
        "Pipelines"
    )
