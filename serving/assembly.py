"""Puts a server's parts together, and runs its two APIs side by side.

What the parts do is in their own modules; flags and signals are in `model_server.py`. This module
imports uvicorn and Starlette, and TensorFlow with gRPC's messages where there is a gRPC port.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from serving import (
    batching_parameters,
    config_file,
    connection_limits,
    model_config,
    monitoring_config,
    page_routes,
    side_routes,
)
from serving.batching_parameters import BatchingParameters
from serving.config_file import ConfigFileFollower
from serving.errors import Code, ServingError
from serving.inference import Inference
from serving.model_config import ModelConfig, RequestLogging
from serving.models import Models
from serving.options import ServerOptions
from serving.request_log import RequestLog
from serving.rest_api import RestApi
from serving.servable import Servable
from serving.server_metrics import ServerMetrics
from serving.version_policy import VersionPolicy
from serving.versions import ModelVersions
from serving.warmup import warm_up

Load = Callable[[str, int, str], Servable]

# How often it is looked whether the HTTP server was told to stop, in seconds.
_STOP_POLL = 0.1
_ENDLESS_SECONDS = 7 * 24 * 3600.0


@dataclasses.dataclass
class Server:
    """A server that is put together and holds its REST port, but does not answer yet.

    Attributes:
        http: Answers REST.
        listener: Where.
        models: What is served; loading has begun.
        inference: What runs it.
        grpc_address: Where gRPC is to listen; None for nowhere.
        max_request_bytes: Of a gRPC message; 0 for no limit.
        grace_seconds: How long requests may go on after a stop; None for as long as they take.
        grpc_started: Whether gRPC answers.
    """

    http: uvicorn.Server
    listener: socket.socket
    models: Models
    inference: Inference
    grpc_address: str | None
    max_request_bytes: int
    grace_seconds: float | None
    grpc_started: bool = False

    def run(self) -> None:
        """Answers until `stop` is called; requests under way are finished first.

        Raises:
            OSError: if the gRPC address cannot be listened on.
        """
        asyncio.run(self._run())

    def stop(self) -> None:
        """Makes `run` end, also where it has not begun; from any thread or signal handler."""
        self.http.should_exit = True

    @property
    def is_started(self) -> bool:
        """Whether both APIs answer."""
        return self.http.started and (self.grpc_address is None or self.grpc_started)

    async def _run(self) -> None:
        if self.grpc_address is None:
            await self.http.serve(sockets=[self.listener])
            return
        grpc = asyncio.ensure_future(self._serve_grpc(self.grpc_address))
        try:
            await self.http.serve(sockets=[self.listener])
        finally:
            self.stop()
            await grpc

    async def _serve_grpc(self, address: str) -> None:
        try:
            # Takes seconds, during which REST answers already.
            await asyncio.to_thread(_import_grpc)
            server = self._grpc_server(address)
            await server.start()
        except BaseException:
            self.stop()
            raise
        self.grpc_started = True
        while not self.http.should_exit:
            await asyncio.sleep(_STOP_POLL)
        # None would mean at once to gRPC.
        await server.stop(_ENDLESS_SECONDS if self.grace_seconds is None else self.grace_seconds)

    def _grpc_server(self, address: str) -> Any:
        import grpc
        from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

        from serving.grpc_api import ModelService, PredictionService

        limit = self.max_request_bytes or -1
        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", limit),
                ("grpc.max_send_message_length", -1),
                # Two servers on one port would each get a part of the requests.
                ("grpc.so_reuseport", 0),
            ]
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(self.inference), server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            ModelService(self.models, self.inference), server
        )
        try:
            bound = server.add_insecure_port(address)
        except RuntimeError:
            bound = 0
        if not bound:
            raise OSError(f"cannot listen on {address} for gRPC: is the port in use?")
        return server


@contextlib.contextmanager
def assembled(
    options: ServerOptions, *, rest_port: int, grpc_port: int, load: Load
) -> Iterator[Server]:
    """A server whose models are being loaded.

    Args:
        options: What to serve, and how; its ports are not used.
        rest_port: Of REST; 0 for any that is free.
        grpc_port: Of gRPC; 0 for none.
        load: Loads a version.

    Raises:
        OSError: if a file or base path cannot be read, or the REST port not be listened on.
    """
    metrics, log = ServerMetrics(), RequestLog()
    batching = None
    if options.enable_batching:
        batching = BatchingParameters()
        if path := options.batching_parameters_file:
            batching = config_file.read(path, batching_parameters.parse)
    metrics_path = None
    if path := options.monitoring_config_file:
        metrics_path = config_file.read(path, monitoring_config.parse)
    configs = _configs(options)

    def make_versions(name: str, base_path: str, policy: VersionPolicy) -> ModelVersions[Servable]:
        return ModelVersions(
            name,
            base_path,
            _measured(load, metrics, options.enable_model_warmup),
            policy=policy,
            poll_seconds=options.file_system_poll_wait_seconds,
            max_load_retries=options.max_num_load_retries,
            retry_seconds=options.load_retry_interval_micros / 1e6,
        )

    models = Models(
        make_versions, unavailable_labels=options.allow_version_labels_for_unavailable_models
    )
    threads = options.rest_api_num_threads + (batching.num_batch_threads if batching else 0)
    executor = ThreadPoolExecutor(threads, thread_name_prefix="inference")
    inference = Inference(models, metrics, log, executor, batching)
    # A request that is under way at a stop is given what its own time limit leaves it at most.
    limit = options.rest_api_timeout_in_ms
    grace = limit // 1000 + 1 if limit else None
    routes = [*side_routes.health_routes(models, lambda: http.should_exit)]
    if metrics_path is not None:
        routes.append(side_routes.metrics_route(metrics, metrics_path))
    if options.enable_page:
        routes += page_routes.page_routes(models)
    api = RestApi(inference, limit / 1000, options.max_request_bytes)
    application = Starlette(routes=routes + api.routes(), middleware=_middleware(options))
    application.router.redirect_slashes = False  # a path that is none is not another one
    http = uvicorn.Server(
        uvicorn.Config(
            application,
            http=connection_limits.limited(limit / 1000) if limit else "auto",
            lifespan="off",
            ws="none",
            log_config=None,
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=grace,
        )
    )
    with contextlib.ExitStack() as stack:
        stack.callback(log.close)
        stack.callback(executor.shutdown, wait=False, cancel_futures=True)
        listener = stack.enter_context(_listen(options.rest_api_host, rest_port))
        stack.callback(models.stop)
        try:
            models.configure(configs, first=True)
        except ServingError as error:
            raise OSError(error.message) from error
        if options.model_config_file and options.model_config_file_poll_wait_seconds:
            follower = ConfigFileFollower(
                options.model_config_file, models, options.model_config_file_poll_wait_seconds
            )
            follower.start()
            stack.callback(follower.stop)
        host = options.rest_api_host
        grpc_host = f"[{host}]" if ":" in host else host
        grpc_address = f"{grpc_host}:{grpc_port}" if grpc_port else None
        yield Server(
            http, listener, models, inference, grpc_address, options.max_request_bytes, grace
        )


def _import_grpc() -> None:
    # Its messages cannot be imported before TensorFlow: they import it in a circle.
    import tensorflow  # noqa: F401

    import serving.grpc_api  # noqa: F401


def url_of(listener: socket.socket) -> str:
    """The address of a bound socket as a URL."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _configs(options: ServerOptions) -> list[ModelConfig]:
    if options.model_config_file:
        return config_file.read(options.model_config_file, model_config.parse)
    logging = None
    if options.request_log_prefix and options.request_log_sampling_rate:
        logging = RequestLogging(options.request_log_prefix, options.request_log_sampling_rate)
    return [ModelConfig(options.model_name, options.model_base_path, logging=logging)]


def _middleware(options: ServerOptions) -> list[Middleware]:
    if not options.rest_api_enable_cors_support:
        return []
    methods, headers = ["GET", "POST"], ["Content-Type"]
    return [
        Middleware(
            CORSMiddleware, allow_origins=["*"], allow_methods=methods, allow_headers=headers
        )
    ]


def _measured(load: Load, metrics: ServerMetrics, warm: bool) -> Load:
    """Loads a version, warms it up and counts how that went."""

    def load_and_warm_up(name: str, version: int, folder: str) -> Servable:
        started, code = time.perf_counter(), Code.UNKNOWN
        try:
            servable = load(name, version, folder)
            code = Code.OK
        except ServingError as error:
            code = error.code
            raise
        finally:
            micros = round((time.perf_counter() - started) * 1e6)
            metrics.load_attempt_count.add(folder, code.name)
            metrics.load_latency.add(folder, amount=micros)
        if warm:
            warm_up(servable, folder, metrics)
        return servable

    return load_and_warm_up


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
