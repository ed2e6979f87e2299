"""The embedded model server: `python -m serving.model_server --model_base_path=DIR …`.

Starts and stops what `assembly.py` puts together. TensorFlow and the HTTP server are imported when
a server is started, not with this module, so that `--help` answers at once.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING

from serving.library_lines import import_tensorflow_quietly
from serving.options import ServerOptions, parse_flags
from serving.standard_error import own_stderr

if TYPE_CHECKING:
    from serving.servable import Servable

__all__ = ["RunningServer", "ServerOptions", "main", "running_server", "serve", "serving_apis"]

_LOG = logging.getLogger("serving.model_server")  # also where this module is __main__


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until interrupted or terminated.

    Args:
        arguments: The flags; None for this process's own.

    Returns:
        The exit status: 0 after a signal to stop, 1 if the server cannot be started.
    """
    options = parse_flags(arguments)
    import_tensorflow_quietly()
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", stream=own_stderr())
    logging.getLogger("serving").setLevel(logging.INFO)
    # What goes wrong in TensorFlow is raised and logged here; its own notices would drown that.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning, module="google")
    try:
        serve(options)
    except OSError as error:
        print(f"model_server: {error}", file=sys.stderr)
        return 1
    return 0


def serve(options: ServerOptions) -> None:
    """Serves in this thread until SIGINT or SIGTERM; requests under way are finished first.

    Versions are loaded in the background. Before the first, requests are answered with 404.

    Raises:
        OSError: if a file or the base path cannot be read or an address cannot be listened on.
    """
    from serving.assembly import assembled, url_of

    with assembled(
        options, rest_port=options.rest_api_port, grpc_port=options.port, load=_freezing_loader()
    ) as server:
        names = ", ".join(config.name for config in server.models.configs()) or "no model"
        grpc = f", gRPC at {server.grpc_address}" if server.grpc_address else ""
        with _calling_on_signals(server.stop):
            _LOG.info("serving %s at %s%s", names, url_of(server.listener), grpc)
            if options.enable_page:
                _LOG.info("web page at %s/", url_of(server.listener))
            server.run()


@dataclasses.dataclass(frozen=True)
class RunningServer:
    """Where a server answers.

    Attributes:
        url: Of REST, `http://127.0.0.1:PORT`.
        grpc_address: Of gRPC, `127.0.0.1:PORT`; None if it has none.
    """

    url: str
    grpc_address: str | None


@contextlib.contextmanager
def running_server(
    options: ServerOptions, *, port: int = 0, timeout_seconds: float = 300.0
) -> Iterator[str]:
    """Serves REST in a background thread while the context is open; see `serving_apis`.

    Yields:
        The server's URL, `http://127.0.0.1:PORT`, once the models answer.
    """
    with serving_apis(options, rest_port=port, timeout_seconds=timeout_seconds) as server:
        yield server.url


@contextlib.contextmanager
def serving_apis(
    options: ServerOptions,
    *,
    rest_port: int = 0,
    grpc_port: int = 0,
    timeout_seconds: float = 300.0,
) -> Iterator[RunningServer]:
    """Serves in a background thread while the context is open.

    Args:
        options: What to serve; its ports are not used.
        rest_port: The port of REST; 0 for any that is free.
        grpc_port: The port of gRPC; 0 for none.
        timeout_seconds: How long to wait for the models.

    Yields:
        Where the server answers, once every model has a version that can.

    Raises:
        OSError: if a file or the base path cannot be read or a port cannot be listened on.
        serving.errors.ServingError: if a model cannot be loaded, or is not in time.
    """
    from serving.assembly import assembled, url_of
    from serving.servable import load

    with assembled(options, rest_port=rest_port, grpc_port=grpc_port, load=load) as server:
        failure: list[Exception] = []

        def run() -> None:
            try:
                server.run()
            except Exception as error:
                failure.append(error)

        thread = threading.Thread(target=run, name="model-server", daemon=True)
        thread.start()
        try:
            server.models.wait_until_available(timeout_seconds)
            while not server.is_started and thread.is_alive():
                thread.join(0.01)
            if failure:
                raise failure[0]
            yield RunningServer(url_of(server.listener), server.grpc_address)
        finally:
            server.stop()
            thread.join()


def _freezing_loader() -> Callable[[str, int, str], Servable]:
    """A loader for a process that does nothing but serve.

    Replacing a version collects garbage, during which no request is answered. TensorFlow's modules
    are a million objects that never become garbage: with them frozen it takes milliseconds, with
    them in view half a second.
    """
    from serving.servable import load

    frozen = False

    def freezing_load(name: str, version: int, folder: str) -> Servable:
        nonlocal frozen
        if not frozen:
            import tensorflow  # noqa: F401

            gc.collect()
            gc.freeze()
            frozen = True
        return load(name, version, folder)

    return freezing_load


@contextlib.contextmanager
def _calling_on_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Makes SIGINT and SIGTERM call that while the block runs, and raise nothing.

    An exception could come while the event loop is being made, which then is left half-made. While
    uvicorn serves, the signals are its own; it shuts down and raises them once more when it has.
    """

    def leave(signum: int, frame: FrameType | None) -> None:
        stop()

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
