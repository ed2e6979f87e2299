"""The command `flowersim`: parses arguments, calls, prints. What it calls is imported when needed.

Nothing here knows how anything is done; `--help` must answer at once, so no heavy import either.
"""

from __future__ import annotations

import argparse
import pathlib
import shlex
import sys
from collections.abc import Sequence
from typing import Any

from pipeline import (
    compare_command,
    compile_command,
    embed_command,
    endpoint_command,
    eval_command,
    execute_command,
    index_command,
    jobs_command,
    monitor_command,
    query_command,
    report_command,
    rollback_command,
    runs_command,
    schedules_command,
    serve_command,
    submit_command,
    tensorboard_command,
)
from pipeline.component_ids import COMPONENT_IDS

DEFAULT_PRESET = "demo"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns the exit status: 0 done, 1 failed, 2 wrong usage."""
    options = _parser().parse_args(arguments)
    from pipeline.settings_loader import SettingsError

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

    run = commands.add_parser(
        "run", help="run the pipeline: data in, a blessed and pushed model out"
    )
    _add_settings(run)
    _add_workdir(run)
    run.add_argument(
        "--from",
        dest="first",
        choices=COMPONENT_IDS,
        metavar="COMPONENT",
        help="run from this component on; what it needs is taken from the latest run as it is, "
        f"whatever has changed since; one of {', '.join(COMPONENT_IDS)}",
    )
    run.add_argument(
        "--to",
        dest="last",
        choices=COMPONENT_IDS,
        metavar="COMPONENT",
        help="run this component and what it needs, nothing after it",
    )
    run.add_argument(
        "--no-cache",
        action="store_true",
        help="repeat every component, changed or not (the same as --set run.cache=false)",
    )
    run.add_argument(
        "--query",
        action="store_true",
        help="afterwards serve the pushed model and ask it about a test image over HTTP",
    )
    _add_verbose(run)
    run.set_defaults(command=_run)

    prepare = commands.add_parser(
        "prepare", help="only bring the dataset into its prepared folder (run does this too)"
    )
    _add_settings(prepare)
    _add_workdir(prepare)
    _add_verbose(prepare)
    prepare.add_argument(
        "--stage",
        action="store_true",
        help="also copy the dataset, its schema and the gallery's ledger to "
        "deployment.pipeline_root, for the steps of a compiled pipeline",
    )
    prepare.set_defaults(command=_prepare)

    compile_command.add_parser(commands, _add_settings, _add_workdir, _add_verbose)

    settings = commands.add_parser(
        "settings", help="list every setting with its value, range, default and meaning"
    )
    _add_settings(settings)
    form = settings.add_mutually_exclusive_group()
    form.add_argument(
        "--yaml", action="store_true", help="as a preset file, to change and give to --preset"
    )
    form.add_argument("--markdown", action="store_true", help="defaults as a Markdown table")
    settings.set_defaults(command=_settings)

    report_command.add_parser(commands)
    runs_command.add_parser(commands)
    serve_command.add_parser(commands)
    query_command.add_parser(commands)
    index_command.add_parser(commands)
    rollback_command.add_parser(commands)
    monitor_command.add_parser(commands)
    tensorboard_command.add_parser(commands)
    compare_command.add_parser(commands)
    eval_command.add_parser(commands)
    execute_command.add_parser(commands)
    submit_command.add_parser(commands)
    jobs_command.add_parser(commands)
    schedules_command.add_parser(commands)
    embed_command.add_parser(commands)
    endpoint_command.add_parser(commands)
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


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--preset",
        default=DEFAULT_PRESET,
        help="settings to start from: demo, flowers102, or a file as flowersim settings --yaml "
        "writes it, with a name that ends in .yaml (default: %(default)s)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="change one setting, for instance training.epochs=5; may be given several times; "
        "flowersim settings lists them",
    )


def _add_workdir(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--workdir", type=pathlib.Path, help="folder for all results (default: runs/PRESET)"
    )


def _add_verbose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--verbose", action="store_true", help="print all logs, and tracebacks")


def _run(options: argparse.Namespace) -> int:
    from pipeline.local_runner import run
    from pipeline.settings_loader import load_settings

    overrides = [*options.overrides, *(["run.cache=false"] if options.no_cache else [])]
    settings = load_settings(options.preset, overrides)
    workdir = _workdir(options)
    result = run(
        settings,
        workdir,
        preset=pathlib.Path(options.preset).stem,
        first=options.first,
        last=options.last,
        verbose=options.verbose,
    )
    pushed = result.summary["pushed_model"]
    if options.query and pushed:
        from pipeline.run_log import run_log
        from pipeline.sample_query import ask_about_a_test_image

        with run_log(result.log, verbose=options.verbose) as console:
            ask_about_a_test_image(
                pushed,
                settings.serving.model_name,
                result.dataset,
                console,
                skip={image["id"] for image in result.summary["bad_images"]},
            )
    if pushed:
        # As it was called: the environment's programs need not be on the PATH.
        program = sys.argv[0] if pathlib.Path(sys.argv[0]).name == "flowersim" else "flowersim"
        print(f"\nserve it:    {shlex.join([program, 'serve', '--workdir', str(workdir)])}")
        print(f"ask it:      {shlex.quote(program)} query PHOTO.jpg")
    if report := result.summary["report"]:
        print(f"look at it:  {report}")
    return 0


def _prepare(options: argparse.Namespace) -> int:
    from pipeline.disk_space import full_disk_told
    from pipeline.prepare import prepare
    from pipeline.run_log import run_log
    from pipeline.settings_loader import load_settings
    from pipeline.workdir_folder import writable_workdir
    from pipeline.workdir_lock import locked

    settings = load_settings(options.preset, options.overrides)
    workdir = writable_workdir(_workdir(options))
    staged = None
    log = workdir / "logs" / "prepare.log"
    with full_disk_told(workdir), locked(workdir), run_log(log, verbose=options.verbose):
        if options.stage:
            from pipeline.deployment.places import root
            from pipeline.deployment.staging import stage

            staged = root(settings)
        data = prepare(settings.data, workdir)
        place = stage(staged, data, str(workdir)) if staged else None
    sizes = ", ".join(f"{count} {split}" for split, count in data.split_sizes.items())
    print(f"{data.folder}: {len(data.class_names)} classes; {sizes}")
    if place:
        print(f"staged: {place.folder}")
        if place.ledger:
            print(f"        {place.ledger.folder}")
    return 0


def _workdir(options: argparse.Namespace) -> pathlib.Path:
    return options.workdir or pathlib.Path("runs", pathlib.Path(options.preset).stem)


def _settings(options: argparse.Namespace) -> int:
    from pipeline.settings_help import markdown, preset_yaml, print_settings
    from pipeline.settings_loader import load_settings
    from pipeline.terminal import terminal

    settings = load_settings(options.preset, options.overrides)
    if options.yaml:
        print(preset_yaml(settings), end="")
    elif options.markdown:
        print(markdown())
    else:
        print_settings(settings, terminal())
    return 0


if __name__ == "__main__":
    sys.exit(main())
