"""What the settings say of the report; light, since whoever draws it again needs no TFX."""

from __future__ import annotations

from components.report.sources import ReportConfig
from pipeline.settings import Settings


def report_config(settings: Settings) -> ReportConfig:
    """Returns how the report is made."""
    return ReportConfig(
        gallery_splits=settings.evaluation.gallery_splits,
        served_splits=settings.gallery.splits,
        left_out=settings.evaluation.near_duplicates == "leave_out",
        map_images=settings.report.map_images,
        max_megabytes=settings.report.max_megabytes,
    )
