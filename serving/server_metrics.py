"""Counters and histograms under TensorFlow Serving's names, in Prometheus's text format.

Written out here because Prometheus's own client library appends `_total` to the names of counters,
and dashboards for TensorFlow Serving know them without.
"""

from __future__ import annotations

import bisect
import threading
from collections.abc import Sequence

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
DEFAULT_PATH = "/monitoring/prometheus/metrics"

# TensorFlow Serving's: 33 of them, from 10 microseconds on, each 1.8 times the one before.
_LATENCY_BUCKETS = tuple(10 * 1.8**power for power in range(33))
_BATCH_BUCKETS = tuple(float(2**power) for power in range(15))


class Counter:
    r"""Numbers that only grow, by labels.

    >>> counter = Counter("requests", "All of them.", ["status"])
    >>> counter.add("OK")
    >>> print("\n".join(counter.lines()))
    # HELP requests All of them.
    # TYPE requests counter
    requests{status="OK"} 1
    """

    def __init__(self, name: str, text: str, labels: Sequence[str]) -> None:
        self.name, self._text, self._labels = name, text, labels
        self._values: dict[tuple[str, ...], int] = {}
        self._lock = threading.Lock()

    def add(self, *labels: str, amount: int = 1) -> None:
        """Counts."""
        with self._lock:
            self._values[labels] = self._values.get(labels, 0) + amount

    def total(self) -> int:
        """The sum over all labels."""
        with self._lock:
            return sum(self._values.values())

    def lines(self) -> list[str]:
        """Its part of the text."""
        with self._lock:
            values = sorted(self._values.items())
        return [
            *_heading(self.name, self._text, "counter"),
            *(f"{self.name}{_braces(self._labels, labels)} {value}" for labels, value in values),
        ]


class Histogram:
    """How often values lie up to each of some limits, by labels."""

    def __init__(
        self, name: str, text: str, labels: Sequence[str], buckets: Sequence[float]
    ) -> None:
        self.name, self._text, self._labels, self._buckets = name, text, labels, buckets
        self._counts: dict[tuple[str, ...], list[int]] = {}
        self._sums: dict[tuple[str, ...], float] = {}
        self._lock = threading.Lock()

    def add(self, value: float, *labels: str) -> None:
        """Counts a value."""
        with self._lock:
            counts = self._counts.setdefault(labels, [0] * (len(self._buckets) + 1))
            counts[bisect.bisect_left(self._buckets, value)] += 1
            self._sums[labels] = self._sums.get(labels, 0.0) + value

    def total(self) -> int:
        """How many values were counted."""
        with self._lock:
            return sum(sum(counts) for counts in self._counts.values())

    def lines(self) -> list[str]:
        """Its part of the text."""
        with self._lock:
            known = [(labels, list(self._counts[labels])) for labels in sorted(self._counts)]
            sums = dict(self._sums)
        lines = _heading(self.name, self._text, "histogram")
        limits = [f"{limit:g}" for limit in self._buckets] + ["+Inf"]
        for labels, counts in known:
            below = 0
            for limit, count in zip(limits, counts, strict=True):
                below += count
                braces = _braces([*self._labels, "le"], [*labels, limit])
                lines.append(f"{self.name}_bucket{braces} {below}")
            braces = _braces(self._labels, labels)
            lines.append(f"{self.name}_sum{braces} {sums[labels]:.17g}")
            lines.append(f"{self.name}_count{braces} {below}")
        return lines


class ServerMetrics:
    """What a server counts; latencies are in microseconds.

    Attributes:
        request_count: By model and status.
        request_latency: By model, API (Predict, Classify, …) and entrypoint (REST, GRPC).
        runtime_latency: Of TensorFlow alone, by model, API and runtime.
        batch_size: Rows of the batches that ran, by model.
        load_attempt_count: By model path and status.
        load_latency: By model path.
        warmup_latency: By model path and status.
    """

    def __init__(self) -> None:
        serving, saved_model = ":tensorflow:serving:", ":tensorflow:cc:saved_model:"
        micros = "in microseconds"
        self.request_count = Counter(
            f"{serving}request_count", "The total number of requests.", ["model_name", "status"]
        )
        self.request_latency = Histogram(
            f"{serving}request_latency",
            f"Wall time of requests, {micros}.",
            ["model_name", "API", "entrypoint"],
            _LATENCY_BUCKETS,
        )
        self.runtime_latency = Histogram(
            f"{serving}runtime_latency",
            f"Wall time of TensorFlow's part, {micros}.",
            ["model_name", "API", "runtime"],
            _LATENCY_BUCKETS,
        )
        self.batch_size = Histogram(
            f"{serving}batching_session:processed_batch_size",
            "Rows of the batches that ran.",
            ["model_name"],
            _BATCH_BUCKETS,
        )
        self.load_attempt_count = Counter(
            f"{saved_model}load_attempt_count",
            "How often loading a SavedModel was tried.",
            ["model_path", "status"],
        )
        self.load_latency = Counter(
            f"{saved_model}load_latency",
            f"Time that loading SavedModels took, {micros}.",
            ["model_path"],
        )
        self.warmup_latency = Histogram(
            f"{serving}model_warmup_latency",
            f"Time that warm-up requests took, {micros}.",
            ["model_path", "status"],
            _LATENCY_BUCKETS,
        )

    def text(self) -> str:
        """Everything, in Prometheus's text format."""
        families = [m for m in vars(self).values() if isinstance(m, (Counter, Histogram))]
        return "".join(f"{line}\n" for family in families for line in family.lines())

    def totals(self) -> dict[str, int]:
        """By TensorFlow's own names ("/tensorflow/serving/request_count")."""
        families = [m for m in vars(self).values() if isinstance(m, (Counter, Histogram))]
        return {family.name.replace(":", "/"): family.total() for family in families}


def _heading(name: str, text: str, kind: str) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}"]


def _braces(names: Sequence[str], values: Sequence[str]) -> str:
    pairs = ",".join(f'{n}="{_escaped(v)}"' for n, v in zip(names, values, strict=True))
    return f"{{{pairs}}}" if pairs else ""


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
