"""The command `flowersim query`: asks a model server which images look like a photo."""

from __future__ import annotations

import argparse
import pathlib
from typing import Any

from pipeline.argument_types import positive

DEFAULT_URL = "http://127.0.0.1:8501"


def add_parser(commands: Any) -> None:
    """Adds the command to the parser's commands."""
    parser = commands.add_parser("query", help="ask a model server which images look like a photo")
    parser.add_argument("image", nargs="+", type=pathlib.Path, help="photo: JPEG, PNG, GIF or BMP")
    parser.add_argument("--url", default=DEFAULT_URL, help="the server (default: %(default)s)")
    parser.add_argument("--model-name", default="flowers", help="served model (%(default)s)")
    parser.add_argument(
        "--k",
        type=positive,
        default=5,
        help="neighbours to print, at most gallery.neighbours of the model (%(default)s)",
    )
    parser.set_defaults(command=_query)


def _query(options: argparse.Namespace) -> int:
    from rich.console import Console

    from pipeline.query_output import print_neighbours
    from serving.client import ClientError, ServerUnavailableError, SimilarityClient

    console = Console(highlight=False)
    with SimilarityClient(options.url, model_name=options.model_name) as client:
        for image in options.image:
            try:
                neighbours = client.similar(image, k=options.k)
            except ServerUnavailableError as error:
                raise ClientError(f"{error}; flowersim serve starts a server") from error
            except (ClientError, ValueError) as error:
                raise ClientError(f"{image}: {error}") from error
            print_neighbours(str(image), neighbours, console)
    return 0
