"""The artifact type of a run's report: the page, the model card, and the findings behind them."""

from __future__ import annotations

from tfx.types.artifact import Artifact


class RunReport(Artifact):
    """`report.html`, `model_card.json`, and the findings (`findings/store.py`)."""

    # Kubeflow wants a module and a class, and imports them: see `components/__init__.py`.
    TYPE_NAME = "components.RunReport"
