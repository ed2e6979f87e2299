"""A drift report as Prometheus metrics, for the textfile collector of Prometheus's node_exporter.

It reads `*.prom` files of one folder whenever it is asked, so a file must appear whole. The rules
and panels for these metrics are in `serving/deploy/monitoring`.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

SUFFIX = ".prom"

_HELP = {
    "flowersim_drifted": "1 if logged photos have drifted from the reference, 0 if not.",
    "flowersim_drift_decided": "0 if there were too few photos to tell, else 1.",
    "flowersim_drift_photos": "Different logged photos that were examined.",
    "flowersim_drift_statistic": "How far logged photos are from the reference, 0 to 1: coefficient"
    " of inhomogeneity of embeddings, largest drop of best scores.",
    "flowersim_drift_p_value": "Chance of so large a statistic without drift.",
    "flowersim_out_of_gallery_rate": "Share of photos without a match in the gallery.",
    "flowersim_drift_timestamp_seconds": "When the log was examined, in seconds since 1970.",
}


def metrics_text(report: Mapping[str, Any], model_name: str, now: float) -> str:
    r"""Writes a report in Prometheus's text format.

    What is not known, since there were too few photos, is left out.

    Args:
        report: Content of the report.
        model_name: Name of the served model.
        now: Seconds since 1970.
    """
    lines: dict[str, list[str]] = {}
    for name, labels, value in _values(report, now):
        pairs = {"model_name": model_name, **labels}
        braces = ",".join(f'{key}="{_escaped(text)}"' for key, text in pairs.items())
        lines.setdefault(name, []).append(f"{name}{{{braces}}} {value!r}\n")
    return "".join(
        f"# HELP {name} {_HELP[name]}\n# TYPE {name} gauge\n{''.join(samples)}"
        for name, samples in lines.items()
    )


def check_path(path: pathlib.Path) -> None:
    """Makes sure that the collector would read a file.

    Raises:
        OSError: Its name does not end in `.prom`, or its folder does not exist.
    """
    if path.suffix != SUFFIX:
        raise OSError(f"{path}: node_exporter reads only files whose names end in {SUFFIX}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path}: there is no folder {path.parent}")


def write_metrics(path: pathlib.Path, text: str) -> None:
    """Writes the file, whole or not at all."""
    # The collector passes over names with another suffix.
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, "utf-8")
    partial.replace(path)


def _values(
    report: Mapping[str, Any], now: float
) -> Iterator[tuple[str, Mapping[str, str], float]]:
    yield "flowersim_drifted", {}, int(report["drifted"])
    yield "flowersim_drift_decided", {}, int(report["decided"])
    yield "flowersim_drift_photos", {}, report["examined"]
    if found := report["comparison"]:
        for of, numbers, size in (
            ("embeddings", found["embeddings"], "effect"),
            ("best_scores", found["scores"], "drop"),
        ):
            yield "flowersim_drift_statistic", {"of": of}, numbers[size]
        for of, numbers in (("embeddings", found["embeddings"]), ("best_scores", found["scores"])):
            yield "flowersim_drift_p_value", {"of": of}, numbers["p_value"]
        for photos, rate in (
            ("logged", found["out_of_gallery"]),
            ("reference", found["reference_out_of_gallery"]),
        ):
            yield "flowersim_out_of_gallery_rate", {"photos": photos}, rate
    yield "flowersim_drift_timestamp_seconds", {}, now


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
