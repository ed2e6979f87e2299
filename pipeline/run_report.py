"""Makes the report of a run: `report.html` and `model_card.json` in the run's folder.

The findings are those that the run's Report component wrote; of a run without one, for instance one
that failed, what is there is gathered now.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from components.report.files import CARD, PAGE
from pipeline.lineage import Output, Run
from pipeline.report_context import report_context
from pipeline.settings import Settings


def write_report(
    settings: Settings,
    summary: Mapping[str, Any],
    folder: pathlib.Path,
    *,
    run: Run | None,
    code: Mapping[str, str],
    workdir: pathlib.Path,
    page: pathlib.Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> pathlib.Path:
    """Writes the page and the model card, each whole or not at all.

    Args:
        settings: That the run was made with.
        summary: The content of its `summary.json`.
        folder: The run's folder.
        run: What its components wrote; None if nothing.
        code: Digests of their code by component id.
        workdir: Where it ran.
        page: Where the page goes; None for `report.html` in the folder.
        progress: Told what is being done.

    Returns:
        The page.
    """
    from components.report.page.model_card import model_card
    from components.report.page.render import render

    context = report_context(settings, summary, run=run, code=code, workdir=str(workdir))
    findings = _findings(settings, run, progress)
    page = page or folder / PAGE
    card = model_card(findings.content, context)
    _write(folder / CARD, json.dumps(card, indent=2, ensure_ascii=False) + "\n")
    _write(page, render(findings.content, findings.pictures, context))
    return page


def _findings(settings: Settings, run: Run | None, progress: Callable[[str], None] | None) -> Any:
    """Those of the run's Report component, or what can be gathered."""
    from components.report.findings import store
    from components.report.findings.gather import gather
    from pipeline.report_config import report_config

    report = run.outputs.get(("Report", "report")) if run else None
    if report is not None:
        try:
            return store.read(report.uri)
        except (OSError, ValueError):
            pass  # Deleted since, or of an older version; what they were made of may be there.
    return gather(_sources(run), report_config(settings), progress=progress)


def _sources(run: Run | None) -> Any:
    """What a run wrote, as far as it is still there."""
    import tensorflow as tf

    from components.image_embedder.records import embedded_splits
    from components.report.sources import Sources

    outputs = run.outputs if run else {}

    def there(component: str, key: str) -> Output | None:
        output = outputs.get((component, key))
        return output if output and tf.io.gfile.exists(output.uri) else None

    def uri(component: str, key: str) -> str | None:
        output = there(component, key)
        return output.uri if output else None

    embeddings = uri("ImageEmbedder", "embeddings")
    evaluations = {
        split: found
        for split, component in (("validation", "Evaluator"), ("test", "TestEvaluator"))
        if (found := uri(component, "evaluation"))
    }
    blessing = there("Evaluator", "blessing")
    index = outputs.get(("SimilarityIndexer", "servable"))
    properties: Mapping[str, Any] = index.properties if index else {}
    return Sources(
        embeddings=embeddings,
        embedded_splits=embedded_splits(embeddings) if embeddings else (),
        examples=uri("TfdsExampleGen", "examples"),
        near_duplicates=uri("LeakCheck", "near_duplicates"),
        model_run=uri("Trainer", "model_run"),
        evaluations=evaluations,
        blessed=bool(blessing.properties.get("blessed")) if blessing else None,
        serving_check=uri("ServingCheck", "blessing"),
        match_threshold=properties.get("match_threshold"),
        gallery_size=properties.get("gallery_size"),
    )


def _write(path: pathlib.Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, "utf-8")
    partial.replace(path)
