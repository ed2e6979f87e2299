"""The command `flowersim tensorboard`: curves, settings and embeddings of a workdir's runs."""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import signal
import tempfile
import threading
from typing import TYPE_CHECKING, Any

from pipeline.commands.argument_types import port
from pipeline.commands.index_command import DEFAULT_WORKDIR

if TYPE_CHECKING:
    from pipeline.tensorboard.log_folder import Prepared, Shown


def add_parser(commands: Any) -> None:
    """Adds the command to the parser's commands."""
    parser = commands.add_parser(
        "tensorboard",
        help="show the trainings of a workdir in TensorBoard: curves, HParams, embeddings",
        description="Prepares WORKDIR/tensorboard and serves it until Ctrl-C. A training that "
        "several runs share, since the later ones took it from the cache, is shown once.",
    )
    parser.add_argument(
        "--workdir",
        type=pathlib.Path,
        default=DEFAULT_WORKDIR,
        help="workdir of the runs (default: %(default)s)",
    )
    parser.add_argument(
        "--run",
        action="append",
        default=[],
        metavar="NAME",
        dest="runs",
        help="show only the training of this run, as flowersim runs names it; may be given several "
        "times",
    )
    parser.add_argument(
        "--port",
        type=port,
        default=6006,
        help="port to listen at; 0 for a free one (default: %(default)s)",
    )
    parser.add_argument(
        "--host",
        default="localhost",
        help="address to listen at; 0.0.0.0 for every one of this machine (default: %(default)s)",
    )
    parser.add_argument(
        "--no-serve", action="store_true", help="only prepare the folder, and print where it is"
    )
    parser.add_argument("--verbose", action="store_true", help="print all logs, and tracebacks")
    parser.set_defaults(command=_tensorboard)


def _tensorboard(options: argparse.Namespace) -> int:
    if not options.verbose:
        from pipeline.quiet import be_quiet

        be_quiet()
    from pipeline.run_records import RunNotFoundError, find_run
    from pipeline.tensorboard.log_folder import link_only, prepare
    from pipeline.terminal import terminal

    root = options.workdir.expanduser().resolve()
    wanted = [find_run(name, root) for name in dict.fromkeys(options.runs)]
    for name, record in zip(dict.fromkeys(options.runs), wanted, strict=True):
        if record.workdir != root:
            raise RunNotFoundError(f"run {name} is not of the workdir {root}")
    console = terminal(stderr=True)
    with console.status("preparing") as status:
        prepared = prepare(root, wanted, status.update)
    _print(prepared, console)
    if options.no_serve:
        print(prepared.folder)
        return 0
    # Ctrl-C is how it ends.
    with contextlib.suppress(KeyboardInterrupt), contextlib.ExitStack() as stack:
        folder = prepared.folder
        if wanted:
            scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="tensorboard-"))
            folder = pathlib.Path(scratch)
            link_only(prepared, folder)
        from pipeline.tensorboard.server import launch

        url = launch(folder, options.host, options.port)
        print(f"TensorBoard is at {url}; Ctrl-C stops it", flush=True)
        _wait()
    return 0


def _wait() -> None:
    """Waits for Ctrl-C, or for what a supervisor ends a process with."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    threading.Event().wait()


def _print(prepared: Prepared, console: Any) -> None:
    for shown in prepared.shown:
        console.print(_line(shown), markup=False, soft_wrap=True)
    for name, why in prepared.left_out.items():
        console.print(f"{name}  left out: {why}", markup=False, soft_wrap=True)


def _line(shown: Shown) -> str:
    training = shown.training
    words = [training.name, "prepared" if shown.anew else "as it was"]
    if others := [record.name for record in training.runs[1:]]:
        words.append(f"also of {', '.join(others)}")
    return "  ".join([*words, *shown.lacks])
