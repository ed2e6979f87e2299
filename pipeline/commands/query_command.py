"""The command `flowersim query`: asks a model server which images look like a photo.

What is printed and drawn is in `pipeline/query/`.
"""

from __future__ import annotations

import argparse
import pathlib
import sys
from typing import Any

from pipeline.commands.argument_types import positive, seconds

DEFAULT_URL = "http://127.0.0.1:8501"


def add_parser(commands: Any) -> None:
    """Adds the command to the parser's commands."""
    parser = commands.add_parser(
        "query",
        help="ask a model server which images look like a photo",
        description="Asks a model server which images of its gallery look like some photos. A "
        "photo that cannot be read is named, and the others are asked about all the same; the exit "
        "status is 1 then.",
    )
    parser.add_argument(
        "photos",
        nargs="+",
        metavar="PHOTO",
        help="file (JPEG, PNG, GIF or BMP), folder of such files, http(s) URL, or - for standard "
        "input",
    )
    parser.add_argument(
        "--url",
        default=DEFAULT_URL,
        help="the server: http://HOST:PORT for REST, grpc://HOST:PORT for gRPC (%(default)s)",
    )
    parser.add_argument("--model-name", default="flowers", help="served model (%(default)s)")
    parser.add_argument(
        "--k",
        type=positive,
        default=5,
        help="neighbours of each, at most gallery.neighbours of the model (%(default)s)",
    )
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=30.0,
        metavar="SECONDS",
        help="time that a request may take (%(default)s)",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument(
        "--json", action="store_true", help="print a line of JSON for each photo, and nothing else"
    )
    form.add_argument(
        "--html",
        type=pathlib.Path,
        metavar="FILE",
        help="write a page with the photos and their neighbours' thumbnails, in place of tables",
    )
    parser.add_argument(
        "--pictures",
        choices=["auto", "always", "never"],
        default="auto",
        help="show thumbnails in the terminal: if it can (auto: kitty, iTerm2, WezTerm, or 24-bit "
        "colours), always, in coloured blocks where nothing better is known, or never",
    )
    parser.set_defaults(command=_query)


def _query(options: argparse.Namespace) -> int:
    from pipeline.query.output import JsonLines, Tables
    from pipeline.query.photos import find_photos
    from pipeline.query.thumbnails import Thumbnails
    from pipeline.terminal import terminal
    from serving.client import (
        ClientError,
        ServerUnavailableError,
        SimilarityClient,
    )

    photos = find_photos(options.photos, options.timeout)
    bad = 0
    try:
        client = SimilarityClient(options.url, options.model_name, options.timeout)
    except ValueError as error:
        raise ClientError(str(error)) from error
    with client:
        if options.html:
            from pipeline.query.sheet import Sheet

            output: Any = Sheet(options.html, Thumbnails(client))
        elif options.json:
            output = JsonLines(sys.stdout)
        else:
            from pipeline.query.pictures import painter

            console = terminal()
            output = Tables(console, painter(options.pictures, console), Thumbnails(client))
        for photo in _told(photos, quiet=not options.html):
            try:
                image = photo.read()
                neighbours = client.similar(image, options.k)
            except ServerUnavailableError as error:
                raise ClientError(f"{error}; flowersim serve starts a server") from error
            except ValueError as error:  # k: the same for every photo
                raise ClientError(str(error)) from error
            except (ClientError, OSError) as error:
                bad += 1
                output.failed(photo.name, _naming(photo.name, error))
                continue
            output.add(photo.name, image, neighbours)
        output.close()
    return 1 if bad else 0


def _told(photos: list[Any], *, quiet: bool) -> Any:
    """The photos; how far it is shows where nothing else is printed meanwhile."""
    from rich.progress import track

    from pipeline.terminal import terminal

    console = terminal(stderr=True)
    return track(
        photos, "asking", console=console, transient=True, disable=quiet or len(photos) < 2
    )


def _naming(name: str, error: Exception) -> str:
    """An error's message, which names the photo."""
    if isinstance(error, OSError) and error.strerror:
        return f"{name}: {error.strerror}"
    return str(error) if name in str(error) else f"{name}: {error}"
