"""What ServingCheck is told, and what it answers with when a model is not to be pushed."""

from __future__ import annotations

import dataclasses


class CheckFailedError(Exception):
    """A model that must not be served; the message is the reason, in one line."""


@dataclasses.dataclass(frozen=True)
class ServingCheckConfig:
    """How a model is checked; see the `serving_check` section of the settings.

    Attributes:
        model_name: Name in the URLs of the server.
        gallery_splits: Splits whose images the model finds.
        search_is_exact: Whether it compares with all of them, so that each must find itself; of a
            search that may miss some, half must.
        examples: Photos that are sent.
        requests: Requests that latency is measured with.
        max_latency_ms: Limit of the 95th percentile of their latency, in milliseconds; None for no
            limit.
        max_memory_mb: Limit of the server's peak memory, in 10⁶ bytes; None for no limit.
        load_timeout_seconds: From the server's start until it must have loaded the model.
        request_timeout_seconds: Time within which any request must be answered.
        warmup_batch_sizes: Photos in the warm-up requests.
    """

    model_name: str
    gallery_splits: tuple[str, ...]
    search_is_exact: bool
    examples: int
    requests: int
    max_latency_ms: float | None
    max_memory_mb: float | None
    load_timeout_seconds: float
    request_timeout_seconds: float
    warmup_batch_sizes: tuple[int, ...]
