"""The command `flowersim serve`: serves the newest model that a run has pushed."""

from __future__ import annotations

import argparse
import logging
import os
import pathlib
import warnings
from typing import Any

from pipeline.argument_types import port
from pipeline.index_command import DEFAULT_WORKDIR


def add_parser(commands: Any) -> None:
    """Adds the command to the parser's commands."""
    parser = commands.add_parser("serve", help="serve the newest pushed model over REST and gRPC")
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
    parser.set_defaults(command=_serve)


def _serve(options: argparse.Namespace) -> int:
    # Before TensorFlow is loaded: the terminal is for what the server itself has to say.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", category=FutureWarning)
    from pipeline.workdir_layout import served_folder
    from serving.model_server import ServerOptions, serve

    log = logging.getLogger("serving")
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    folder = served_folder(options.workdir)
    serve(
        ServerOptions(
            model_name=folder.name,
            model_base_path=str(folder.resolve()),
            rest_api_host=options.host,
            rest_api_port=options.port,
            port=options.grpc_port,
        )
    )
    return 0
