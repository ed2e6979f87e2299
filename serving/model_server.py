"""The embedded model server: `python -m serving.model_server --model_base_path=DIR …`.

Puts the parts together (versions, REST API, HTTP server), starts and stops them; what they do is
in their own modules. TensorFlow and the HTTP server are imported when a server is started, not with
this module, so that `--help` answers at once.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import signal
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import TYPE_CHECKING

from serving.options import ServerOptions, parse_flags

if TYPE_CHECKING:
    import uvicorn

    from serving.servable import Servable
    from serving.versions import ModelVersions

__all__ = ["ServerOptions", "main", "running_server", "serve"]

_LOG = logging.getLogger("serving.model_server")  # also where this module is __main__


def main(arguments: Sequence[str] | None = None) -> int:
    """Serves until interrupted or terminated.

    Args:
        arguments: The flags; None for this process's own.

    Returns:
        The exit status: 0 after a signal to stop, 1 if the server cannot be started.
    """
    options = parse_flags(arguments)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
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
        OSError: if the base path does not exist or the address cannot be listened on.
    """
    with _prepared(options, options.rest_api_port, _freezing_loader()) as (server, listener, _):
        _LOG.info("serving model %s at %s", options.model_name, _url(listener))
        with _stopped_by_signals():
            server.run(sockets=[listener])


@contextlib.contextmanager
def running_server(
    options: ServerOptions, *, port: int = 0, timeout_seconds: float = 300.0
) -> Iterator[str]:
    """Serves in a background thread while the context is open.

    Args:
        options: What to serve; its port is not used.
        port: The port to listen on; 0 for any that is free.
        timeout_seconds: How long to wait for the model.

    Yields:
        The server's URL, `http://127.0.0.1:PORT`, once the model answers.

    Raises:
        OSError: if the base path does not exist or the port cannot be listened on.
        serving.errors.ServingError: if the model cannot be loaded, or is not in time.
    """
    from serving.servable import load

    with _prepared(options, port, load) as (server, listener, versions):
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [listener]}, name="model-server", daemon=True
        )
        thread.start()
        try:
            versions.wait_until_available(timeout_seconds)
            yield _url(listener)
        finally:
            server.should_exit = True
            thread.join()


@contextlib.contextmanager
def _prepared(
    options: ServerOptions, port: int, load: Callable[[str, int, str], Servable]
) -> Iterator[tuple[uvicorn.Server, socket.socket, ModelVersions[Servable]]]:
    """A bound socket, a model that is being loaded, and an HTTP server that is not yet started."""
    from concurrent.futures import ThreadPoolExecutor

    import uvicorn
    from starlette.applications import Starlette

    from serving.rest_api import RestApi
    from serving.versions import ModelVersions

    versions = ModelVersions(
        options.model_name,
        options.model_base_path,
        load,
        poll_seconds=options.file_system_poll_wait_seconds,
        max_load_retries=options.max_num_load_retries,
        retry_seconds=options.load_retry_interval_micros / 1e6,
    )
    executor = ThreadPoolExecutor(options.rest_api_num_threads, thread_name_prefix="rest-api")
    api = RestApi({options.model_name: versions}, executor, options.rest_api_timeout_in_ms / 1000)
    # A request that is under way at a stop is given what its own time limit leaves it at most.
    limit = options.rest_api_timeout_in_ms
    server = uvicorn.Server(
        uvicorn.Config(
            Starlette(routes=api.routes()),
            lifespan="off",
            ws="none",
            log_config=None,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=limit // 1000 + 1 if limit else None,
        )
    )
    with contextlib.ExitStack() as stack:
        stack.callback(executor.shutdown, wait=False, cancel_futures=True)
        listener = stack.enter_context(_listen(options.rest_api_host, port))
        versions.start()
        stack.callback(versions.stop)
        yield server, listener, versions


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio sets TCP_NODELAY on what it accepts: without that the second
    # half of every response waits 40 ms for an acknowledgement of the first.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere it would let two servers share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise OSError(f"cannot listen on {host}:{port}: {error.strerror or error}") from error
    return listener


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


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


class _StoppedError(SystemExit):
    """Raised where a signal to stop arrives; the event loop lets only such exceptions through."""


@contextlib.contextmanager
def _stopped_by_signals() -> Iterator[None]:
    """Makes SIGINT and SIGTERM end the block, quietly.

    uvicorn shuts down on either and then raises the signal once more for whoever handled it before:
    that is this handler.
    """

    def leave(signum: int, frame: FrameType | None) -> None:
        raise _StoppedError(0)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, leave) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        with contextlib.suppress(_StoppedError):
            yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
