"""What a report says of a run besides its findings: what it was, with what, on what machine.

What the components wrote is read from ML Metadata in `lineage.py`; how all of it looks is the
business of `components/report/page`.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
from collections.abc import Collection, Mapping
from typing import Any

import yaml

from pipeline.code_hash import LIBRARIES
from pipeline.lineage import Run
from pipeline.settings import Settings
from pipeline.settings_help import describe

# Of a summary, what the page says of the run itself.
_RUN = ("name", "started", "status", "error", "duration_seconds", "preset")


def report_context(
    settings: Settings,
    summary: Mapping[str, Any],
    *,
    run: Run | None = None,
    code: Mapping[str, str] | None = None,
    workdir: str = "",
) -> dict[str, Any]:
    """Collects it.

    Args:
        settings: That the run was made with.
        summary: The content of its `summary.json`.
        run: What its components wrote; None if nothing.
        code: Digests of their code by component id.
        workdir: Where it ran.

    Returns:
        `context` of `components.report.page.render.render`.
    """
    return {
        **model_names(settings),
        "run": {
            **{name: summary.get(name) for name in _RUN},
            "id": summary.get("run_id"),
            "pipeline_name": settings.run.pipeline_name,
            "workdir": workdir,
        },
        "pushed_model": summary.get("pushed_model"),
        "held_back": summary.get("held_back"),
        "components": summary.get("components", []),
        "data": _data(settings, summary, run),
        "code": dict(code or {}),
        "artifacts": _artifacts(run),
        "settings": changed_settings(settings, all_too=True),
        "environment": summary.get("environment"),
    }


def model_names(settings: Settings) -> dict[str, Any]:
    """What the model and its makers are called: `title`, `project_version` and `card`."""
    return {
        "title": settings.serving.model_name,
        "project_version": importlib.metadata.version("flowersim"),
        "card": settings.report.card.model_dump(),
    }


def changed_settings(
    settings: Settings, *, without: Collection[str] = (), all_too: bool = False
) -> list[dict[str, Any]]:
    """Returns the settings that differ from their defaults.

    Args:
        settings: All knobs.
        without: Sections that are left out.
        all_too: Also those that do not differ.
    """
    return [
        {
            "key": setting.key,
            # They are text in YAML there.
            "value": yaml.safe_load(setting.value),
            "default": yaml.safe_load(setting.default),
            "changed": setting.value != setting.default,
            "description": setting.meaning,
        }
        for setting in describe(settings)
        if (all_too or setting.value != setting.default)
        and setting.key.partition(".")[0] not in without
    ]


def environment() -> dict[str, Any]:
    """Describes this machine and the libraries, for the summary of a run that is made on it."""
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "gpus": _gpus(),
        "packages": {name: importlib.metadata.version(name) for name in LIBRARIES},
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.partition(":")[2].strip() for line in file if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or platform.machine()


def _gpus() -> list[str]:
    import tensorflow as tf

    found = tf.config.list_physical_devices("GPU")
    return [tf.config.experimental.get_device_details(gpu).get("device_name", "") for gpu in found]


def _data(settings: Settings, summary: Mapping[str, Any], run: Run | None) -> dict[str, Any]:
    """Where the images come from, and which version they are."""
    examples = run.outputs.get(("TfdsExampleGen", "examples")) if run else None
    properties = examples.properties if examples else {}
    # TFX's: sizes and times of the files, a line for each split.
    fingerprint = str(properties.get("input_fingerprint") or "")
    folder = summary.get("dataset")
    return {
        "dataset": settings.data.dataset if settings.data.folder is None else "own photos",
        "source": settings.data.folder,
        "folder": folder,
        "version": os.path.basename(folder) if folder else None,
        "fingerprint": _digest(fingerprint) if fingerprint else None,
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _artifacts(run: Run | None) -> list[dict[str, Any]]:
    if run is None:
        return []
    return [
        {
            "component": component,
            "output": key,
            "type": output.type,
            "uri": output.uri,
            "id": output.id,
            "created": output.created,
            "properties": output.properties,
        }
        for (component, key), output in run.outputs.items()
    ]
