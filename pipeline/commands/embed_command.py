"""The command `flowersim embed`: embeds any number of photos with a pushed model, through Beam."""

from __future__ import annotations

import argparse
from typing import Any

from pipeline.commands.argument_types import part

_FORMATS = ("tfrecord", "parquet")


def add_parser(commands: Any) -> None:
    """Adds the command to the parser's commands."""
    parser = commands.add_parser(
        "embed",
        help="embed any number of photos with a pushed model, here or on Dataflow, Flink or Spark",
        description="Writes the embedding of each photo, as the served model gives it, to a new "
        "folder. Photos that cannot be read or decoded are listed in its bad.jsonl. The folder "
        "appears when all is done; memory does not depend on the number of photos.",
    )
    parser.add_argument(
        "photos",
        metavar="PHOTOS",
        help="folder of photos at any depth, whose first folder is taken for their class; or a "
        "pattern of photos; or TFRecords of examples with a feature image, by a name or pattern "
        "that contains .tfrecord; each local, or gs://…",
    )
    parser.add_argument(
        "--model",
        required=True,
        help="pushed model: a version's folder, or the folder of versions; local, or gs://…",
    )
    parser.add_argument(
        "--output", required=True, metavar="FOLDER", help="folder to make; local, or gs://…"
    )
    parser.add_argument(
        "--format",
        choices=_FORMATS,
        default=_FORMATS[0],
        help="of the embeddings; flowersim eval reads tfrecord (default: %(default)s)",
    )
    parser.add_argument(
        "--max-bad-share",
        type=part,
        default=0.05,
        metavar="SHARE",
        help="share of the photos that may be left out; above it the command fails (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--beam",
        action="append",
        default=[],
        metavar="OPTION[=VALUE]",
        help="option of Apache Beam without its dashes, for instance runner=DataflowRunner; may "
        "be given several times (default: runner=FnApiRunner, in this process)",
    )
    parser.add_argument("--verbose", action="store_true", help="print all logs, and tracebacks")
    parser.set_defaults(command=_embed)


def _embed(options: argparse.Namespace) -> int:
    from pipeline.quiet import be_quiet

    if not options.verbose:
        be_quiet()
    from pipeline.batch_embedding.job import embed
    from pipeline.batch_embedding.photos import source_of
    from pipeline.batch_embedding.progress import counted
    from pipeline.embedded_photos import load_embed, version_folder
    from pipeline.terminal import terminal

    model = version_folder(options.model)
    # A model that is none is told before a cluster is started for it.
    load_embed(model)
    source = source_of(options.photos)
    given = _beam_args(options.beam)
    with counted(terminal(stderr=True)):
        outcome = embed(
            source,
            model,
            options.output,
            form=options.format,
            max_bad_share=options.max_bad_share,
            beam_args=given,
        )
    left = (
        f", {outcome.bad} left out ({options.output.rstrip('/')}/bad.jsonl)" if outcome.bad else ""
    )
    print(f"{options.output}: {outcome.embedded} photos embedded with {model}{left}")
    return 0


# Beam's runners that run in this process.
_RUNNERS_HERE = (
    *("FnApiRunner", "DirectRunner", "BundleBasedDirectRunner", "SwitchingDirectRunner"),
)


def _beam_args(given: list[str]) -> list[str]:
    """Beam's arguments. Here, Beam would pass over what it does not know, a typing error included.

    Raises:
        EmbeddingFileError: An option that Beam does not know, or cannot read, in this process.
    """
    import contextlib
    import io

    from apache_beam.options.pipeline_options import PipelineOptions

    from pipeline.embedding_file import EmbeddingFileError

    arguments = [f"--{option.lstrip('-')}" for option in given]
    runners = [name.partition("=")[2] for name in arguments if name.startswith("--runner=")]
    if runners and runners[-1].rpartition(".")[2] not in _RUNNERS_HERE:
        # Of another runner's options some are known where it runs only.
        return arguments
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            options = PipelineOptions(arguments)
            known = {*options.get_all_options()}
            unknown = {*options.get_all_options(retain_unknown_options=True)} - known
    except SystemExit:
        reason = told.getvalue().strip().rpartition("error: ")[2]
        raise EmbeddingFileError(f"--beam: {reason}") from None
    if unknown:
        raise EmbeddingFileError(f"--beam: Beam has no option {', '.join(sorted(unknown))}")
    return arguments if runners else [*arguments, "--runner=FnApiRunner"]
