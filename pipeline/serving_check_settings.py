"""The settings of the check before a model is pushed, a part of the tree in `settings.py`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from pipeline.settings_section import Section

BatchSize = Annotated[int, Field(ge=1, le=1000)]
Limit = Annotated[float, Field(gt=0)]


class ServingCheckSettings(Section):
    """How a model is tried out in a server before it is pushed."""

    enabled: bool = Field(
        default=True,
        description="load the model in a server of its own and ask it about real photos before it "
        "is pushed; false pushes it unchecked, and without warm-up records",
    )
    examples: int = Field(
        default=8,
        ge=2,
        le=100,
        description="photos it is asked about, half of them of the gallery: these must find "
        "themselves",
    )
    requests: int = Field(
        default=40,
        ge=20,
        le=10000,
        description="requests that latency is measured with, each of one photo and one after the "
        "other",
    )
    max_latency_ms: Limit | None = Field(
        default=2000.0,
        description="milliseconds within which 95 % of these requests must be answered (null: no "
        "limit)",
    )
    max_memory_mb: Limit | None = Field(
        default=4096.0,
        description="megabytes of memory that the server may take at its peak, TensorFlow included "
        "(null: no limit)",
    )
    load_timeout_seconds: float = Field(
        default=300.0,
        gt=0,
        le=86400,
        description="time from the start of the server within which the model must be loaded and "
        "its warm-up records run",
    )
    request_timeout_seconds: float = Field(
        default=60.0, gt=0, le=3600, description="time within which any request must be answered"
    )
    warmup_batch_sizes: Annotated[tuple[BatchSize, ...], Field(strict=False, min_length=1)] = Field(
        default=(1, 8),
        description="batch sizes of the warm-up requests that are pushed with the model, which "
        "servers run before they answer: those that are likely to be asked for",
    )
