"""The command `flowersim serve`: serves the newest model that a run has pushed.

Chooses between the embedded server and stock TensorFlow Serving in docker; what either does is in
`serving/model_server.py` and `serving/docker_backend.py`.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import pathlib
import sys
import warnings
from typing import Any

from pipeline.commands.argument_types import port, share
from pipeline.commands.index_command import DEFAULT_WORKDIR
from serving import docker_backend

_DESCRIPTION = (
    "Serves the newest pushed model, and each newer one once it is there, until Ctrl-C. Backends: "
    "docker runs stock TensorFlow Serving in a container, and downloads its image if it is not "
    "there yet; embedded needs no docker, and has a web page too. auto downloads nothing: it takes "
    "docker where its daemon answers and has the image already (docker pull "
    f"{docker_backend.IMAGE}) that is not older than the TensorFlow here, and otherwise embedded."
)


def add_parser(commands: Any) -> None:
    """Adds the command to the parser's commands."""
    parser = commands.add_parser(
        "serve",
        help="serve the newest pushed model over REST and gRPC",
        description=_DESCRIPTION,
    )
    parser.add_argument(
        "--workdir",
        type=pathlib.Path,
        default=DEFAULT_WORKDIR,
        help="workdir of the run that pushed it (default: %(default)s)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to bind to (%(default)s)")
    parser.add_argument(
        "--port", type=port, default=8501, help="REST port; 0 for any free one (%(default)s)"
    )
    parser.add_argument(
        "--grpc-port", type=port, default=0, help="gRPC port, TensorFlow Serving's is 8500; 0: none"
    )
    parser.add_argument(
        "--backend",
        choices=("auto", "docker", "embedded"),
        default="auto",
        help="what serves, see above (%(default)s)",
    )
    parser.add_argument(
        "--image",
        default=docker_backend.IMAGE,
        help="docker image of TensorFlow Serving for the docker backend, not older than the "
        "TensorFlow that made the model (%(default)s)",
    )
    parser.add_argument(
        "--request-log",
        metavar="PREFIX",
        help="write requests, photos included, and answers to PREFIX-*.tfrecord, for flowersim "
        "monitor; the embedded backend only",
    )
    parser.add_argument(
        "--request-log-share",
        type=share,
        metavar="SHARE",
        help="share of requests that --request-log logs, above 0 and at most 1 (default: 1, all)",
    )
    parser.add_argument(
        "--print-command",
        action="store_true",
        help="print the docker command of the docker backend, and do nothing",
    )
    parser.set_defaults(command=_serve)


def _serve(options: argparse.Namespace) -> int:
    from pipeline.workdir_layout import served_folder

    _check_logging(options)
    folder = served_folder(options.workdir)
    container = docker_backend.Container(
        model_name=folder.name,
        model_folder=str(folder.resolve()),
        host=options.host,
        rest_port=options.port,
        grpc_port=options.grpc_port,
        image=options.image,
    )
    if options.print_command:
        print(docker_backend.shell_command(container))
        return 0
    # Ctrl-C is how it ends, also before there is a server that listens to it.
    with contextlib.suppress(KeyboardInterrupt):
        if _takes_docker(options):
            _serve_with_docker(container)
        else:
            _serve_embedded(container, options.request_log or "", options.request_log_share or 1.0)
    return 0


def _check_logging(options: argparse.Namespace) -> None:
    """Refuses what would log nothing.

    Raises:
        DockerError: A log of TensorFlow Serving's image.
        SettingsError: A share of no log.
    """
    if options.request_log and options.print_command:
        raise docker_backend.DockerError(
            "--print-command prints how to run TensorFlow Serving's image, which logs nothing: "
            "leave --request-log out"
        )
    if options.request_log and options.backend == "docker":
        raise docker_backend.DockerError(
            "--request-log needs the embedded backend: TensorFlow Serving's image logs nothing"
        )
    if options.request_log_share and not options.request_log:
        from pipeline.settings_loader import SettingsError

        raise SettingsError(
            "--request-log-share is a share of what --request-log writes: give that too"
        )


def _takes_docker(options: argparse.Namespace) -> bool:
    """Decides, and says what and why in one line.

    Raises:
        DockerError: Docker was asked for and cannot be used.
    """
    if options.backend == "embedded":
        _say("backend embedded, as asked for")
        return False
    if options.request_log:
        _say("backend embedded, which logs requests")
        return False
    if options.backend == "docker":
        if reason := docker_backend.why_not():
            raise docker_backend.DockerError(
                f"--backend docker: {reason}; --backend embedded needs no docker"
            )
        _say(f"backend docker, as asked for: {options.image}")
        return True
    if reason := docker_backend.why_not(options.image) or _is_older(options.image):
        _say(f"backend embedded: {reason}")
        return False
    _say(f"backend docker: its daemon answers, and has {options.image}")
    return True


def _is_older(image: str) -> str:
    """That an image is older than the TensorFlow here, in a few words; empty if not, or not known.

    It may lack ops of models that were made with this TensorFlow.
    """
    import importlib.metadata
    import re

    release = re.compile(r"(\d+)\.(\d+)")
    tag = release.match(image.rpartition("/")[2].partition(":")[2])
    try:
        here = release.match(importlib.metadata.version("tensorflow"))
    except importlib.metadata.PackageNotFoundError:
        here = None
    if not tag or not here or [*map(int, tag.groups())] >= [*map(int, here.groups())]:
        return ""
    return f"{image} is older than the TensorFlow {here[0]} here, which may have made the model"


def _say(line: str) -> None:
    print(f"flowersim: {line}", file=sys.stderr)


def _serve_with_docker(container: docker_backend.Container) -> None:
    container = docker_backend.with_free_ports(container)
    grpc = f", gRPC at port {container.grpc_port}" if container.grpc_port else ""
    _say(f"{container.model_name} will be at {container.url}{grpc}; Ctrl-C stops it")
    docker_backend.serve(container)


def _serve_embedded(
    container: docker_backend.Container, request_log: str, request_log_share: float
) -> None:
    # Before TensorFlow is loaded: the terminal is for what the server itself has to say.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", category=FutureWarning)
    from serving.library_lines import import_tensorflow_quietly
    from serving.model_server import ServerOptions, serve
    from serving.standard_error import own_stderr

    import_tensorflow_quietly()
    log = logging.getLogger("serving")
    handler = logging.StreamHandler(own_stderr())
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    serve(
        ServerOptions(
            model_name=container.model_name,
            model_base_path=container.model_folder,
            rest_api_host=container.host,
            rest_api_port=container.rest_port,
            port=container.grpc_port,
            monitoring_config_file=str(docker_backend.MONITORING_FILE),
            request_log_prefix=request_log,
            request_log_sampling_rate=request_log_share,
        )
    )
