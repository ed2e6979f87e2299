"""The model server's options: TensorFlow Serving's flag names, and a typed form for Python callers.

Only flags that do something here are known; any other is an error, not ignored.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class ServerOptions:
    """How to serve a model; each field is the flag of the same name.

    Attributes:
        model_base_path: The folder that holds the version folders.
        model_name: The name in the URLs.
        rest_api_host: The address to listen on.
        rest_api_port: The port to listen on.
        rest_api_timeout_in_ms: When a request is given up, in milliseconds; 0 for never.
        rest_api_num_threads: Requests that are worked on at the same time.
        file_system_poll_wait_seconds: Time between two looks for new versions; 0 looks once.
        max_num_load_retries: How often a load that failed is tried again.
        load_retry_interval_micros: The least time before it is, in microseconds.
    """

    model_base_path: str
    model_name: str = "default"
    rest_api_host: str = "127.0.0.1"
    rest_api_port: int = 8501
    rest_api_timeout_in_ms: int = 30_000
    rest_api_num_threads: int = 4 * (os.cpu_count() or 1)
    file_system_poll_wait_seconds: float = 1.0
    max_num_load_retries: int = 5
    load_retry_interval_micros: int = 60_000_000


def parse_flags(arguments: Sequence[str] | None = None) -> ServerOptions:
    """Reads the command line.

    Args:
        arguments: Without the program's name; None for this process's own.

    Raises:
        SystemExit: for --help, and for arguments that are not understood.
    """
    defaults = ServerOptions(model_base_path="")
    parser = argparse.ArgumentParser(
        prog="python -m serving.model_server",
        description="Serves a SavedModel with TensorFlow Serving's REST API.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "--model_base_path",
        required=True,
        metavar="DIR",
        default=argparse.SUPPRESS,
        help="folder that holds the versions, DIR/NUMBER/saved_model.pb; the newest is served, "
        "and replaced when a newer one appears",
    )
    add("--model_name", default=defaults.model_name, metavar="NAME", help="name in the URLs")
    add(
        "--rest_api_host",
        default=defaults.rest_api_host,
        metavar="ADDRESS",
        help="address to listen on; 0.0.0.0 for every network this machine is in "
        "(there is no authentication)",
    )
    add(
        "--rest_api_port",
        type=_port,
        default=defaults.rest_api_port,
        metavar="PORT",
        help="TCP port of the HTTP/REST API",
    )
    add(
        "--rest_api_timeout_in_ms",
        type=_natural,
        default=defaults.rest_api_timeout_in_ms,
        metavar="MS",
        help="a request that takes longer is answered with 504; 0 for no limit",
    )
    add(
        "--rest_api_num_threads",
        type=_positive,
        default=defaults.rest_api_num_threads,
        metavar="N",
        help="requests worked on at the same time",
    )
    add(
        "--file_system_poll_wait_seconds",
        type=_seconds,
        default=defaults.file_system_poll_wait_seconds,
        metavar="S",
        help="time between two looks for new versions; 0 looks only once",
    )
    add(
        "--max_num_load_retries",
        type=_natural,
        default=defaults.max_num_load_retries,
        metavar="N",
        help="how often loading a version is tried again after it failed",
    )
    add(
        "--load_retry_interval_micros",
        type=_natural,
        default=defaults.load_retry_interval_micros,
        metavar="US",
        help="time before it is tried again, in microseconds",
    )
    return ServerOptions(**vars(parser.parse_args(arguments)))


def _natural(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is negative")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 65535:
        raise argparse.ArgumentTypeError(f"{value} is not between 1 and 65535")
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds")
    return value
