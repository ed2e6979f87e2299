"""No setting is without effect: each changes the pipeline, or is read where something else is done.

What the effects are is tested where they are; this finds settings that nobody reads.
"""

from __future__ import annotations

import ast
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.settings_loader import SettingsError, allowed, iter_fields, load_settings

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIELDS = dict(iter_fields())

# What is not in the pipeline itself, by the beginning of the key, and who reads it.
READ_BY = {
    "data.": ["pipeline/prepare.py", "pipeline/photo_source.py"],
    "monitoring.": ["components/drift_monitor", "pipeline/commands/monitor_command.py"],
    "deployment.": ["pipeline/deployment", "pipeline/commands/compile_command.py"],
    "run.metadata": ["pipeline/local_runner.py"],
    "run.beam_args": ["pipeline/local_runner.py"],
}
# Configurations that go to a component as a whole, and who must read what is in them.
WHOLE = {
    "model.": ["trainer_module"],
    "training.": ["trainer_module"],
    "serving_check.": ["components/serving_check", "pipeline/serving_check_node.py"],
    "report.card.": ["components/report/page"],
}
# Values that only some kinds of text or list may have; and settings that need others.
VALUES = {
    "model.backbone": "efficientnet_lite1",
    "deployment.dataflow.machine_type": "n2-standard-8",
    "deployment.notify_url": "https://example.org/runs",
    "deployment.region": "europe-west1",
    "run.metadata": "mysql://user@host:3306/store",
    "run.beam_args": "[--runner=DirectRunner]",
    "evaluation.ks": "[1, 2]",
    "serving_check.warmup_batch_sizes": "[1, 2]",
}
NEEDS = {
    "data.division.held_out_only": ["data.division.held_out_classes=0.1"],
    "training.triplet.weight": ["training.images_per_class=2"],
}


def _others(key: str) -> Iterator[str]:
    """Values that may be allowed and are not the default."""
    default = FIELDS[key].default
    if key in VALUES:
        yield VALUES[key]
    elif isinstance(default, bool):
        yield str(not default).lower()
    elif isinstance(default, int | float):
        yield from map(str, (default + 1, default - 1, default / 2, default * 2, 0.5))
    elif isinstance(default, tuple):
        yield "[train]"
    elif (words := allowed(FIELDS[key])).startswith("one of "):
        choices = words.removeprefix("one of ").split(", ")
        yield from (choice for choice in choices if choice != default)
    else:
        yield from ("other", "e2-standard-8", "100", "0.5")


@pytest.fixture(scope="module")
def preset(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A preset that changes nothing."""
    path = tmp_path_factory.mktemp("preset") / "defaults.yaml"
    path.write_text("{}\n")
    return str(path)


def _changed(preset: str, key: str) -> Any:
    """Settings with another value of this one, and without it."""
    for value in _others(key):
        try:
            given = load_settings(preset, [*NEEDS.get(key, []), f"{key}={value}"])
        except SettingsError:
            continue
        before = load_settings(preset, NEEDS.get(key, []))
        if given != before:
            return given, before
    raise AssertionError(f"no other value of {key} was found")


@pytest.fixture
def pipeline_of(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Gives `pipeline_of(settings)`: all that its components are told."""
    import importlib.metadata

    from pipeline import code_hash
    from pipeline.pipeline import create_pipeline
    from pipeline.places import Places

    # The digest of the code is the same, whatever the settings: need not be made.
    monkeypatch.setattr(code_hash, "closure", lambda *_: {})
    monkeypatch.setattr(importlib.metadata, "version", lambda _: "1")
    places = Places("dataset", "schema", "root", "checkpoints", "serving/flowers")

    def told(component: Any) -> dict[str, str]:
        properties = {key: str(value) for key, value in component.exec_properties.items()}
        if component.id == "Report":
            # It shows every setting that is changed.
            context = json.loads(properties["context"])
            del context["settings"]
            properties["context"] = json.dumps(context)
        return properties

    def make(settings: Any) -> Any:
        made = create_pipeline(settings, places)
        parts = [(component.id, told(component)) for component in made.components]
        return made.pipeline_info.pipeline_name, made.enable_cache, parts

    return make


def _reads(places: list[str]) -> set[str]:
    """Names that are read as attributes, in code and in templates of these files and folders."""
    found = set()
    for place in places:
        path = ROOT / place
        assert path.exists(), place
        for file in path.rglob("*.py") if path.is_dir() else [path]:
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Attribute):
                    found.add(node.attr)
        for file in path.rglob("*.j2"):
            found |= set(file.read_text("utf-8").replace("(", " ").replace(".", " ").split())
    return found


def _places(key: str, table: dict[str, list[str]]) -> list[str]:
    return next((places for start, places in table.items() if key.startswith(start)), [])


@pytest.mark.parametrize("key", FIELDS)
def test_every_setting_has_an_effect(preset: str, pipeline_of: Any, key: str) -> None:
    given, before = _changed(preset, key)
    name = key.rpartition(".")[2]
    if pipeline_of(given) == pipeline_of(before):
        assert name in _reads(_places(key, READ_BY)), "changes nothing, and nobody reads it"
    elif places := _places(key, WHOLE):
        assert name in _reads(places), "handed over, and nobody reads it"


def test_who_reads_settings_outside_of_the_pipeline_is_not_listed_in_vain(
    preset: str, pipeline_of: Any
) -> None:
    for start in READ_BY:
        keys = [key for key in FIELDS if key.startswith(start)]
        assert any(pipeline_of(a) == pipeline_of(b) for a, b in (_changed(preset, k) for k in keys))
