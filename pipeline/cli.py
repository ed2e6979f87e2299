"""The command `flowersim`: parses arguments, calls, prints. What it calls is imported when needed.

Nothing here knows how anything is done; `--help` must answer at once, so no heavy import either.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from pipeline.commands import (
    compare_command,
    compile_command,
    embed_command,
    endpoint_command,
    eval_command,
    execute_command,
    index_command,
    jobs_command,
    monitor_command,
    prepare_command,
    query_command,
    report_command,
    rollback_command,
    run_command,
    runs_command,
    schedules_command,
    serve_command,
    settings_command,
    submit_command,
    tensorboard_command,
)

# In the order in which --help lists them.
_COMMANDS = (
    run_command,
    prepare_command,
    compile_command,
    settings_command,
    report_command,
    runs_command,
    serve_command,
    query_command,
    index_command,
    rollback_command,
    monitor_command,
    tensorboard_command,
    compare_command,
    eval_command,
    execute_command,
    submit_command,
    jobs_command,
    schedules_command,
    embed_command,
    endpoint_command,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status: 0 done, 1 failed, 2 wrong usage."""
    options = _parser().parse_args(arguments)
    from pipeline.settings_loader import SettingsError
    from pipeline.tfx_import import import_tfx_swiftly

    import_tfx_swiftly()
    try:
        return options.command(options)
    except SettingsError as error:
        _complain(error)
        return 2
    except KeyboardInterrupt:
        _complain("interrupted; the same command goes on from here")
        return 130
    except Exception as error:
        if getattr(options, "verbose", False) or not _is_expected(error):
            raise
        _complain(error)
        return 1


def _is_expected(error: Exception) -> bool:
    """Whether an error's own message is what the user needs, without a traceback."""
    from components.gallery_edit.ledger import GalleryError
    from components.pusher.errors import RollbackError
    from pipeline.comparison.errors import NotComparableError
    from pipeline.embedding_file import EmbeddingFileError
    from pipeline.metadata_store import MetadataStoreError
    from pipeline.prepare import PrepareError
    from pipeline.run_failure import RunFailedError
    from pipeline.spec_executor.errors import SpecExecutorError
    from pipeline.submission.errors import SubmissionError
    from pipeline.submission.kubeflow_errors import KubeflowError
    from pipeline.vertex_ai.errors import VertexError
    from pipeline.workdir_lock import WorkdirBusyError
    from serving.client import ClientError

    expected = (
        RunFailedError,
        PrepareError,
        MetadataStoreError,
        WorkdirBusyError,
        ClientError,
        EmbeddingFileError,
        GalleryError,
        RollbackError,
        NotComparableError,
        SubmissionError,
        KubeflowError,
        VertexError,
        SpecExecutorError,
        OSError,
    )
    return isinstance(error, expected)


def _complain(error: object) -> None:
    from pipeline.terminal import printable

    print(f"flowersim: {printable(str(error))}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="flowersim",
        description="Trains, checks and serves an image-similarity model with TFX.",
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="print flowersim's version, and do nothing"
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_parser(commands)
    return parser


class _Version(argparse.Action):
    """Prints the version that is installed; setup.py has it."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        import importlib.metadata

        try:
            version = importlib.metadata.version("flowersim")
        except importlib.metadata.PackageNotFoundError:
            parser.exit(1, "flowersim: not installed, only on Python's path: it has no version\n")
        print(version)
        parser.exit()


if __name__ == "__main__":
    sys.exit(main())
