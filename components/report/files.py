"""The files of a report, wherever it is written: by the component, or into a run's folder."""

from __future__ import annotations

PAGE = "report.html"
CARD = "model_card.json"
