"""The command `flowersim eval`: measures embeddings in a file, or a pushed model on photos."""

from __future__ import annotations

import argparse
import functools
import pathlib
from typing import Any

from pipeline.commands.argument_types import positive
from pipeline.quiet import be_quiet


def add_parser(commands: Any) -> None:
    """Adds the command to the parser's commands."""
    parser = commands.add_parser(
        "eval", help="measure how well embeddings in a file, or a model on photos, retrieve"
    )
    parser.add_argument(
        "embeddings",
        type=pathlib.Path,
        help=".npz archive with arrays embeddings [N, D], labels [N] and, if you like, ids [N]; or "
        "TFRecords, a file or a folder of *.tfrecord or *.tfrecord.gz, of examples with embedding, "
        "label or class_name and, if you like, id; with --model photos, FOLDER/CLASS/photo.jpg, or "
        "a split of a dataset that TFDS has prepared, PREPARED/SPLIT",
    )
    parser.add_argument(
        "--model",
        type=pathlib.Path,
        help="pushed model that embeds the photos: a version's folder, or the folder of versions",
    )
    parser.add_argument(
        "--gallery",
        type=pathlib.Path,
        help="images to search, given likewise; without it each is searched among all others",
    )
    parser.add_argument(
        "--k", type=positive, nargs="+", default=[1, 5, 10], help="cut-offs (default: 1 5 10)"
    )
    parser.add_argument(
        "--hardest", type=positive, default=10, help="queries to name (default: %(default)s)"
    )
    parser.add_argument("--json", type=pathlib.Path, help="file to write all results to")
    parser.set_defaults(command=_eval)


def _eval(options: argparse.Namespace) -> int:
    be_quiet()
    from pipeline.embedding_file import EmbeddingFileError, read_embeddings
    from pipeline.evaluation_output import print_evaluation, write_evaluation
    from pipeline.terminal import terminal
    from retrieval.evaluation import evaluate

    console = terminal()
    read = read_embeddings
    if options.model:
        from pipeline.embedded_photos import embed_photos, load_embed

        embed = load_embed(options.model)
        read = functools.partial(embed_photos, embed=embed, console=console)
    queries = read(options.embeddings)
    gallery = read(options.gallery) if options.gallery else None
    try:
        found = evaluate(queries, gallery, ks=tuple(options.k), hardest=options.hardest)
    except (ValueError, TypeError) as error:
        searched = f" searched in {options.gallery}" if options.gallery else ""
        raise EmbeddingFileError(f"{options.embeddings}{searched}: {error}") from error
    print_evaluation(found, console)
    if options.json:
        write_evaluation(options.json, found)
    return 0
