"""TensorBoard itself, started on a log folder."""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import pathlib
import sys
import types
from collections.abc import Iterator
from typing import Any

from pipeline.tensorboard.log_folder import TensorBoardError

# Log folders are small and change seldom; a page asks anew as often by itself.
_RELOAD_SECONDS = 15


def launch(folder: pathlib.Path, host: str, port: int) -> str:
    """Starts TensorBoard in a thread that ends with the process.

    Args:
        folder: The log folder.
        host: Address to listen at.
        port: Port to listen at; 0 for a free one.

    Returns:
        Its URL.

    Raises:
        TensorBoardError: The port is taken, or the address is not one of this machine's.
    """
    with _pkg_resources():
        # By name: `from tensorboard import program` imports it only later.
        from tensorboard.program import (
            TensorBoard,
            TensorBoardPortInUseError,
            TensorBoardServerException,
        )

    # Its server logs each request that fails, of which a page has some by design.
    logging.getLogger("werkzeug").setLevel(logging.CRITICAL)
    board = TensorBoard(_plugins())
    board.configure(
        argv=[
            "tensorboard",
            f"--logdir={folder}",
            f"--host={host}",
            f"--port={port}",
            f"--reload_interval={_RELOAD_SECONDS}",
            # The other reader is a program of its own, which does not come for every machine.
            "--load_fast=false",
        ]
    )
    try:
        return board.launch()
    except TensorBoardPortInUseError:
        raise TensorBoardError(
            f"port {port} is taken, perhaps by another TensorBoard: choose another one with "
            "--port, or --port 0 for a free one"
        ) from None
    except SystemExit:  # Its web server's way of refusing an address, after a line that says why.
        raise TensorBoardError(
            f"TensorBoard cannot listen at {host}:{port}: choose another --host or --port"
        ) from None
    except (TensorBoardServerException, OSError) as error:
        raise TensorBoardError(
            f"TensorBoard cannot listen at {host}:{port}: {getattr(error, 'msg', error)}"
        ) from None


def _plugins() -> list[Any]:
    """The dashboards that have something to show, in the order of their tabs."""
    from tensorboard.plugins.core import core_plugin
    from tensorboard.plugins.hparams import hparams_plugin
    from tensorboard.plugins.metrics import metrics_plugin
    from tensorboard.plugins.projector import projector_plugin
    from tensorboard.plugins.scalar import scalars_plugin

    return [
        core_plugin.CorePluginLoader(),
        scalars_plugin.ScalarsPlugin,
        metrics_plugin.MetricsPlugin,
        hparams_plugin.HParamsPlugin,
        projector_plugin.ProjectorPlugin,
    ]


@contextlib.contextmanager
def _pkg_resources() -> Iterator[None]:
    """Lets TensorBoard be imported where setuptools has no `pkg_resources` any more.

    It is imported for the reader that `launch` does without, to compare versions.
    """
    name = "pkg_resources"
    if name in sys.modules or importlib.util.find_spec(name) is not None:
        yield
        return
    from packaging.version import parse

    module = types.ModuleType(name)
    module.parse_version = parse  # type: ignore[attr-defined]
    sys.modules[name] = module
    try:
        yield
    finally:
        del sys.modules[name]
