"""The last part of the DAG: the report of a run."""

from __future__ import annotations

import json
from typing import Any

from tfx import v1 as tfx

from components.report.component import Report
from pipeline.code_hash import code_hash
from pipeline.report_config import report_config
from pipeline.report_context import changed_settings, model_names
from pipeline.settings import Settings

# What draws the report, besides what all components work with.
REPORT_LIBRARIES = ("jinja2", "matplotlib", "scikit-learn")


def report_node(settings: Settings, **inputs: tfx.dsl.Channel | None) -> Report | None:
    """Describes the component.

    Args:
        settings: All knobs.
        inputs: Channels, as `Report` takes them.

    Returns:
        The component; None if no report is wanted.
    """
    if not settings.report.enabled:
        return None
    context: dict[str, Any] = {
        **model_names(settings),
        "settings": changed_settings(settings, without=("deployment", "run", "report")),
    }
    return Report(
        **inputs,
        config=report_config(settings).dumps(),
        context=json.dumps(context, sort_keys=True),
        code_hash=code_hash(
            "components.report.executor",
            resources=["components.report.page"],
            libraries=REPORT_LIBRARIES,
        ),
    )
