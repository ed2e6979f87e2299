"""The work of Report: gather the findings, write them, and the page and the card made of them."""

from __future__ import annotations

import json
import os
from typing import Any

from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils

from components.image_embedder import records
from components.report.files import CARD, PAGE
from components.report.findings import store
from components.report.findings.gather import gather
from components.report.page.model_card import model_card
from components.report.page.render import render
from components.report.sources import ReportConfig, Sources
from trainer_module.progress_log import report as report_progress


class Executor(base_executor.BaseExecutor):
    """Executor of `Report`."""

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the report."""
        config = ReportConfig.loads(exec_properties["config"])
        context = json.loads(exec_properties["context"])
        report = artifact_utils.get_single_instance(output_dict["report"])
        findings = gather(_sources(input_dict), config, progress=report_progress)
        fileio.makedirs(report.uri)
        store.write(findings, report.uri)
        context["artifacts"] = _named(input_dict)
        report_progress("drawing the page")
        page = render(findings.content, findings.pictures, context)
        card = model_card(findings.content, context)
        for name, text in (
            (CARD, json.dumps(card, indent=2, ensure_ascii=False) + "\n"),
            (PAGE, page),
        ):
            path = os.path.join(report.uri, name)
            with fileio.open(f"{path}.partial", "w") as file:
                file.write(text)
            fileio.rename(f"{path}.partial", path, overwrite=True)
        report.set_string_custom_property("page", os.path.join(report.uri, PAGE))


def _sources(inputs: dict[str, list[Any]]) -> Sources:
    """What the report is made of, out of the inputs' artifacts."""

    def uri(name: str) -> str | None:
        return artifact_utils.get_single_uri(inputs[name]) if inputs.get(name) else None

    embeddings = artifact_utils.get_single_instance(inputs["embeddings"])
    blessing = artifact_utils.get_single_instance(inputs["evaluation_blessing"])
    servable = artifact_utils.get_single_instance(inputs["servable"])
    return Sources(
        embeddings=embeddings.uri,
        embedded_splits=records.embedded_splits(embeddings.uri),
        examples=uri("examples"),
        near_duplicates=uri("near_duplicates"),
        model_run=uri("model_run"),
        evaluations={
            split: artifact_utils.get_single_uri(inputs[name])
            for split, name in (("validation", "evaluation"), ("test", "test_evaluation"))
        },
        blessed=bool(blessing.get_int_custom_property("blessed")),
        serving_check=uri("serving_check"),
        match_threshold=_number(servable, "match_threshold"),
        gallery_size=servable.get_int_custom_property("gallery_size") or None,
    )


def _number(artifact: Any, name: str) -> float | None:
    """A property that an artifact may lack, which TFX would read as 0."""
    if not artifact.has_custom_property(name):
        return None
    return artifact.get_float_custom_property(name)


def _named(inputs: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """The artifacts that the report is made of, as the page lists them."""
    return [
        {
            "component": artifact.producer_component or None,
            "output": name,
            "type": artifact.type_name,
            "uri": artifact.uri,
            "id": artifact.id or None,
        }
        for name, artifacts in sorted(inputs.items())
        for artifact in artifacts
    ]
