"""The command `flowersim endpoint`: pushed models behind an endpoint of Vertex AI."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from pipeline.commands.argument_types import per_cent, positive
from pipeline.commands.platform_options import add_vertex_place

if TYPE_CHECKING:
    from pipeline.registry.endpoints import Endpoint
    from pipeline.vertex_ai.clients import VertexPlace

_INTERRUPTED = 130


def add_parser(commands: Any) -> None:
    """Adds the command to the parser's commands."""
    parser = commands.add_parser(
        "endpoint", help="register pushed models on Vertex AI, deploy them, and divide the traffic"
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    upload = actions.add_parser(
        "upload", help="register a pushed version in the Model Registry, and deploy nothing"
    )
    _add_upload(upload)
    upload.set_defaults(command=_upload)

    deploy = actions.add_parser(
        "deploy",
        help="register a pushed version and deploy it beside those that are there",
        description="The version gets traffic when it answers; until then, and if it never does, "
        "all traffic stays where it is. What is registered or deployed already is not so again.",
    )
    _add_upload(deploy)
    _add_endpoint(deploy)
    deploy.add_argument(
        "--traffic",
        type=per_cent,
        metavar="PERCENT",
        help="share of the traffic that it gets; the others give it up in proportion (default: "
        "100, and always 100 for the first)",
    )
    deploy.add_argument(
        "--machine-type", default="n1-standard-4", help="of each replica (default: %(default)s)"
    )
    deploy.add_argument(
        "--min-replicas",
        type=positive,
        default=1,
        metavar="N",
        help="machines that are always there (default: %(default)s)",
    )
    deploy.add_argument(
        "--max-replicas",
        type=positive,
        metavar="N",
        help="machines under load, at most (default: --min-replicas)",
    )
    deploy.add_argument(
        "--accelerator", metavar="TYPE", help="GPU of each replica, for instance NVIDIA_L4"
    )
    deploy.add_argument(
        "--accelerator-count",
        type=positive,
        default=1,
        metavar="N",
        help="how many of these GPUs, with --accelerator (default: %(default)s)",
    )
    deploy.add_argument("--service-account", metavar="ACCOUNT", help="whom the server runs as")
    deploy.set_defaults(command=_deploy)

    for name, text, command in (
        ("show", "what is deployed, on what, and with how much of the traffic", _show),
        ("promote", "give all traffic to a version", _promote),
        ("rollback", "give all traffic to the version that had most of it before", _rollback),
        ("prune", "take the machines from versions without traffic", _prune),
    ):
        action = actions.add_parser(name, help=text)
        _add_endpoint(action)
        if name in ("promote", "rollback"):
            default = "the newest" if name == "promote" else "the one before"
            action.add_argument(
                "version",
                nargs="?",
                metavar="VERSION",
                help=f"number of a pushed version that is deployed (default: {default})",
            )
        if name == "prune":
            action.add_argument(
                "--all",
                action="store_true",
                help="also from the version that rollback would go back to",
            )
        action.set_defaults(command=command)
    for action in actions.choices.values():
        add_vertex_place(action)
        action.add_argument("--verbose", action="store_true", help="print all logs, and tracebacks")


def _add_upload(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        help="pushed version, for instance gs://BUCKET/serving/flowers/1795523810, or a local one "
        "with --staging",
    )
    parser.add_argument(
        "--model", default="flowers", metavar="NAME", help="in the registry (default: %(default)s)"
    )
    parser.add_argument(
        "--image",
        help="container that serves it, with TensorFlow Serving's flags: TensorFlow Serving or the "
        "embedded server, in Artifact Registry; or one of Vertex AI's own",
    )
    parser.add_argument(
        "--staging",
        metavar="gs://BUCKET/FOLDER",
        help="where the version is copied to; needed for a local one, and for any image that is "
        "not Vertex AI's own",
    )
    parser.add_argument(
        "--summary",
        metavar="summary.json",
        help="of the run that pushed it: its metrics become labels, and it must have blessed it",
    )


def _add_endpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--endpoint",
        default="flowers",
        metavar="NAME",
        help="display name, or id, of the endpoint (default: %(default)s)",
    )


def _upload(options: argparse.Namespace) -> int:
    from pipeline.endpoint_deployment import register

    register(options, _place(options))
    return 0


def _deploy(options: argparse.Namespace) -> int:
    from pipeline.endpoint_deployment import deploy

    place = _place(options)
    try:
        _print(deploy(options, place))
    except KeyboardInterrupt:
        print(
            "flowersim: no longer waiting; what Vertex AI has begun goes on, and a deployment gets "
            "no traffic. When flowersim endpoint show lists it, the same command goes on there",
            file=sys.stderr,
        )
        return _INTERRUPTED
    return 0


def _show(options: argparse.Namespace) -> int:
    _print(_endpoint(options))
    return 0


def _promote(options: argparse.Namespace) -> int:
    from pipeline.vertex_ai.errors import VertexError

    endpoint = _endpoint(options)
    if not endpoint.deployed:
        raise VertexError(f"nothing is deployed on {endpoint.name}")
    chosen = endpoint.find(options.version) if options.version else endpoint.deployed[-1]
    endpoint.set_traffic({chosen.id: 100})
    _print(endpoint)
    return 0


def _rollback(options: argparse.Namespace) -> int:
    from pipeline.registry.traffic import rollback_target

    endpoint = _endpoint(options)
    if options.version:
        chosen = endpoint.find(options.version).id
    else:
        ids = [one.id for one in endpoint.deployed]
        chosen = rollback_target(endpoint.split, ids, endpoint.before)
    endpoint.set_traffic({chosen: 100})
    _print(endpoint)
    return 0


def _prune(options: argparse.Namespace) -> int:
    endpoint = _endpoint(options)
    kept = {*endpoint.split} | ({endpoint.before} if not options.all else set())
    for one in endpoint.deployed:
        if one.id not in kept:
            endpoint.undeploy(one)
            print(f"undeployed {one.version or one.id}")
    _print(endpoint)
    return 0


def _place(options: argparse.Namespace) -> VertexPlace:
    from pipeline.quiet import be_quiet
    from pipeline.vertex_ai.clients import find_place

    if not options.verbose:
        be_quiet()
    return find_place(options.project, options.region, options.api_endpoint)


def _endpoint(options: argparse.Namespace) -> Endpoint:
    from pipeline.registry.endpoints import find_endpoint
    from pipeline.vertex_ai.clients import connect

    place = _place(options)
    return find_endpoint(connect("Endpoint", place), place, options.endpoint)


def _print(endpoint: Endpoint) -> None:
    print(endpoint.name)
    for one in endpoint.deployed:
        told = [f"{endpoint.split.get(one.id, 0):3} %", one.version or one.id, one.machines]
        if one.id == endpoint.before:
            told.append("led before")
        print("  ".join(told))
