"""TensorFlow Serving's monitoring config file: a `MonitoringConfig` message in text form.

prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }
"""

from __future__ import annotations

from serving import text_messages
from serving.errors import invalid_argument
from serving.server_metrics import DEFAULT_PATH

_MESSAGES: dict[str, text_messages.Fields] = {
    "PrometheusConfig": {"enable": (1, "bool"), "path": (2, "string")},
    "MonitoringConfig": {"prometheus_config": (1, "PrometheusConfig")},
}


def parse(text: str) -> str | None:
    """Reads a monitoring config file.

    Returns:
        The path of the metrics' URL; None if they are not enabled.

    Raises:
        ServingError: INVALID_ARGUMENT for whatever is wrong with it.

    >>> parse("prometheus_config { enable: true }")
    '/monitoring/prometheus/metrics'
    """
    config = text_messages.parse(text, _MESSAGES, "MonitoringConfig").prometheus_config
    if config.path and not config.path.startswith("/"):
        raise invalid_argument(f"the path {config.path!r} does not begin with /")
    return (config.path or DEFAULT_PATH) if config.enable else None
