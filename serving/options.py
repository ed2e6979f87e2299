"""The model server's options: TensorFlow Serving's flag names, and a typed form for Python callers.

Only flags that do something here are known; any other is an error, not ignored.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class ServerOptions:
    """How to serve; each field is the flag of the same name.

    Attributes:
        model_base_path: The folder that holds the version folders of the one model; empty with
            `model_config_file`.
        model_name: The one model's name in URLs and requests.
        model_config_file: A file that lists models, their versions and labels.
        model_config_file_poll_wait_seconds: Time between two looks at it; 0 reads it once.
        allow_version_labels_for_unavailable_models: Whether labels may be given to versions that
            are not loaded.
        rest_api_host: The address to listen on, also for gRPC.
        rest_api_port: The port of REST.
        port: The port of gRPC; 0 for none.
        rest_api_timeout_in_ms: When a REST request is given up, and a connection without one, in
            milliseconds; 0 for never.
        rest_api_num_threads: Requests that are worked on at the same time.
        rest_api_enable_cors_support: Whether web pages of other origins may ask.
        enable_page: Whether there is a web page to ask with, at `/`.
        max_request_bytes: A larger request is refused; 0 for no limit.
        enable_batching: Whether requests that wait at the same time run as one.
        batching_parameters_file: How; empty for TensorFlow Serving's defaults.
        enable_model_warmup: Whether a version's warm-up requests are run before it is served.
        monitoring_config_file: Whether and where Prometheus finds metrics; empty for nowhere.
        request_log_prefix: Beginning of the paths of the request log's files; empty for none.
        request_log_sampling_rate: Share of the requests that is logged, 0 to 1.
        file_system_poll_wait_seconds: Time between two looks for new versions; 0 looks once.
        max_num_load_retries: How often a load that failed is tried again.
        load_retry_interval_micros: The least time before it is, in microseconds.
    """

    model_base_path: str = ""
    model_name: str = "default"
    model_config_file: str = ""
    model_config_file_poll_wait_seconds: float = 0.0
    allow_version_labels_for_unavailable_models: bool = False
    rest_api_host: str = "127.0.0.1"
    rest_api_port: int = 8501
    port: int = 0
    rest_api_timeout_in_ms: int = 30_000
    rest_api_num_threads: int = 4 * (os.cpu_count() or 1)
    rest_api_enable_cors_support: bool = False
    enable_page: bool = True
    max_request_bytes: int = 100 * 1024 * 1024
    enable_batching: bool = False
    batching_parameters_file: str = ""
    enable_model_warmup: bool = True
    monitoring_config_file: str = ""
    request_log_prefix: str = ""
    request_log_sampling_rate: float = 0.01
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
    parser = argparse.ArgumentParser(
        prog="python -m serving.model_server",
        description="Serves SavedModels with TensorFlow Serving's REST and gRPC APIs.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        allow_abbrev=False,
    )
    _add_model_flags(_Flags(parser.add_argument_group("models")))
    _add_api_flags(_Flags(parser.add_argument_group("network")))
    _add_work_flags(_Flags(parser.add_argument_group("work")))
    options = ServerOptions(**vars(parser.parse_args(arguments)))
    if bool(options.model_base_path) == bool(options.model_config_file):
        parser.error("give either --model_base_path or --model_config_file")
    if options.batching_parameters_file and not options.enable_batching:
        parser.error("--batching_parameters_file needs --enable_batching")
    if options.model_config_file and options.request_log_prefix:
        parser.error("with --model_config_file, its logging_config says what is logged")
    return options


class _Flags:
    """Adds flags to a group, with the defaults of `ServerOptions`."""

    def __init__(self, group: argparse._ArgumentGroup) -> None:
        self._group = group
        self._defaults = {f.name: f.default for f in dataclasses.fields(ServerOptions)}

    def __call__(
        self, name: str, kind: Callable[[str], Any], metavar: str, text: str, **other: Any
    ) -> None:
        default = other.get("default", self._defaults[name])
        # An empty text is no value: there is nothing to be shown.
        shown = {"default": default} if default != "" else {}
        if kind is _boolean:
            other.update(nargs="?", const=True)
        other.update(shown or {"default": argparse.SUPPRESS})
        self._group.add_argument(f"--{name}", type=kind, metavar=metavar, help=text, **other)


def _add_model_flags(add: _Flags) -> None:
    add(
        "model_base_path",
        str,
        "DIR",
        "folder that holds the versions, DIR/NUMBER/saved_model.pb; the newest is served, "
        "and replaced when a newer one appears",
    )
    add("model_name", str, "NAME", "name of that model in URLs and requests")
    add(
        "model_config_file",
        str,
        "FILE",
        "instead of the two: a ModelServerConfig in text form, with several models, version "
        "policies, labels, and logging",
    )
    add(
        "model_config_file_poll_wait_seconds",
        _seconds,
        "S",
        "time between two looks at that file; 0 reads it only once",
    )
    add(
        "allow_version_labels_for_unavailable_models",
        _boolean,
        "BOOL",
        "let labels be given to versions that are not loaded (at the start they may be anyway)",
    )
    add(
        "file_system_poll_wait_seconds",
        _seconds,
        "S",
        "time between two looks for new versions; 0 looks only once",
    )
    add("max_num_load_retries", _natural, "N", "how often loading is tried again after it failed")
    add("load_retry_interval_micros", _natural, "US", "time before it is, in microseconds")
    add(
        "enable_model_warmup",
        _boolean,
        "BOOL",
        "run a version's assets.extra/tf_serving_warmup_requests before it is served",
    )


def _add_api_flags(add: _Flags) -> None:
    add(
        "rest_api_host",
        str,
        "ADDRESS",
        "address to listen on, also for gRPC; 0.0.0.0 for every network this machine is in "
        "(there is no authentication)",
    )
    add("rest_api_port", _port, "PORT", "TCP port of the HTTP/REST API")
    add("port", _port_or_none, "PORT", "TCP port of the gRPC API; 0 for none", default=8500)
    add(
        "rest_api_timeout_in_ms",
        _natural,
        "MS",
        "a REST request that takes longer is answered with 504, and a connection that has none "
        "for so long, at least 1 s, ends; 0 for no limit",
    )
    add(
        "rest_api_enable_cors_support",
        _boolean,
        "BOOL",
        "let web pages of other origins ask (CORS)",
    )
    add("enable_page", _boolean, "BOOL", "serve a web page to ask with, at / and /page/")
    add(
        "max_request_bytes",
        _natural,
        "N",
        "a larger request is refused, by REST with 413; 0 for no limit",
    )
    add(
        "monitoring_config_file",
        str,
        "FILE",
        "a MonitoringConfig in text form: whether Prometheus finds metrics, and at which path",
    )


def _add_work_flags(add: _Flags) -> None:
    add("rest_api_num_threads", _positive, "N", "requests worked on at the same time")
    add("enable_batching", _boolean, "BOOL", "run requests that wait at the same time as one")
    add("batching_parameters_file", str, "FILE", "BatchingParameters in text form")
    add(
        "request_log_prefix",
        str,
        "PATH",
        "log requests and responses to PATH-….tfrecord, as PredictionLog messages",
    )
    add("request_log_sampling_rate", _share, "RATE", "the share that is logged, 0 to 1")


def _boolean(text: str) -> bool:
    values = {"true": True, "1": True, "false": False, "0": False}
    if text.lower() not in values:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return values[text.lower()]


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def _port_or_none(text: str) -> int:
    return 0 if text == "0" else _port(text)


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
