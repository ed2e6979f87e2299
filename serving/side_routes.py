"""URLs beside the REST API: is the server alive, is it ready, what did it count.

`GET /healthz` answers as long as the process does; `GET /readyz` with 200 when every model has a
version that can answer and the server is not shutting down, else with 503 and the reason. A
Kubernetes probe can ask both; TensorFlow Serving has no such static URL. The metrics' URL is
TensorFlow Serving's.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from serving import server_metrics
from serving.models import Models
from serving.server_metrics import ServerMetrics

LIVENESS, READINESS = "/healthz", "/readyz"


def health_routes(models: Models, is_stopping: Callable[[], bool]) -> list[Route]:
    """The routes of the two probes.

    Args:
        models: What is to be ready.
        is_stopping: Whether the server is shutting down.
    """

    async def live(request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(request: Request) -> Response:
        if is_stopping():
            return JSONResponse({"status": "stopping"}, 503)
        if unready := models.unready():
            return JSONResponse({"status": "loading", "models": unready}, 503)
        return JSONResponse({"status": "ready"})

    return [Route(LIVENESS, live), Route(READINESS, ready)]


def metrics_route(metrics: ServerMetrics, path: str) -> Route:
    """The route of the counters, for Prometheus.

    Args:
        metrics: The counters.
        path: Of the URL.
    """

    async def scrape(request: Request) -> Response:
        return Response(metrics.text(), media_type=server_metrics.CONTENT_TYPE)

    return Route(path, scrape)
