"""Importers and resolvers: artifacts that come from outside and from earlier runs."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pipeline.spec_executor.artifacts import Artifact
from pipeline.spec_executor.errors import TaskError
from pipeline.spec_executor.filters import parse_filter
from pipeline.spec_executor.run import Run
from pipeline.spec_executor.spec import ArtifactType
from tests.pipeline.spec_executor.specs import In, Out, Spec

Runner = Callable[..., Run]
MODEL = 'schema_title="tfx.Model" AND state=LIVE'
BLESSED = 'schema_title="tfx.ModelBlessing" AND state=LIVE AND metadata.blessed.number_value=1'
ITS_MODEL = f"{MODEL} AND name=\"{{{{$.inputs.artifacts['input'].metadata['current_model_id']}}}}\""


def importer(spec: Spec, name: str, uri: Mapping[str, Any], **more: Any) -> None:
    executor = {"artifactUri": uri, "typeSchema": {"schemaTitle": "system.Dataset"}, **more}
    spec.executor(name, {"importer": executor}, parameters={"uri": "STRING"}, makes=["artifact"])


def test_an_importer_registers_what_is_there(run: Runner, tmp_path: pathlib.Path):
    (tmp_path / "data").write_text("text\n")
    spec = Spec(parameters={"where": "STRING"})
    importer(spec, "import", {"runtimeParameter": "uri"}, metadata={"rows": 1, "from": "here"})
    spec.shell("use", 'cat "$1"', "{{$.inputs.artifacts['in'].path}}", artifacts=["in"])
    spec.task("import", parameters={"uri": In("where")})
    spec.task("use", artifacts={"in": Out("import", "artifact")})
    first = run(spec, parameters=[f"where={tmp_path}/data"])
    (artifact,) = first.tasks["import"].outputs["artifact"]
    assert artifact.type == ArtifactType("schemaTitle", "system.Dataset")
    assert artifact.metadata == {"rows": 1, "from": "here"}
    log = first.tasks["use"].log
    assert log is not None and log.read_text() == "text\n"
    second = run(spec, parameters=[f"where={tmp_path}/data"])
    assert second.tasks["import"].outputs["artifact"] == (artifact,), "it is known already"
    assert second.tasks["use"].cached
    missing = run(spec, parameters=[f"where={tmp_path}/nothing"])
    assert f"nothing to import at {tmp_path}/nothing" in (missing.tasks["import"].error or "")


def test_an_importer_may_import_anew(run: Runner):
    spec = Spec()
    importer(spec, "import", {"constant": "gs://bucket/data"}, reimport=True)
    spec.task("import", parameters={"uri": ""})
    names = {run(spec).tasks["import"].outputs["artifact"][0].name for _ in range(2)}
    assert len(names) == 2


def training(blessed: int) -> Spec:
    """A model and its blessing as TFX's Evaluator reports it, and the resolvers that TFX writes."""
    spec = Spec()
    spec.executor(
        "Baseline-model-blessing-resolver",
        {"resolver": {"outputArtifactQueries": {"model_blessing": {"filter": BLESSED}}}},
        makes=["model_blessing"],
    )
    spec.executor(
        "Baseline-model-resolver",
        {"resolver": {"outputArtifactQueries": {"model": {"filter": ITS_MODEL}}}},
        artifacts=["input"],
        makes=["model"],
    )
    spec.shell("Trainer", f'echo {blessed} > "$1"', "{{$.outputs.artifacts['model'].path}}",
               makes=["model"])  # fmt: skip
    report = (
        'printf \'{"artifacts": {"blessing": {"artifacts": [{"metadata": '
        '{"blessed": %s, "current_model_id": "%s"}}]}}}\' "$1" "$2" > "$3"'
    )
    spec.shell("Evaluator", report, str(blessed), "{{$.inputs.artifacts['model'].name}}",
               "{{$.outputs.output_file}}", artifacts=["model"], makes=["blessing"])  # fmt: skip
    spec.shell("Compare", 'cat "$1"', "{{$.inputs.artifacts['baseline'].path}}",
               artifacts=["baseline"])  # fmt: skip
    makes = {name: component["outputDefinitions"]["artifacts"]
             for name, component in spec.document["components"].items()}  # fmt: skip
    makes["Trainer"]["model"] = {"artifactType": {"instanceSchema": "title: tfx.Model\n"}}
    makes["Evaluator"]["blessing"] = {"artifactType": {"schemaTitle": "tfx.ModelBlessing"}}
    spec.task("Baseline-model-blessing-resolver")
    spec.task("Baseline-model-resolver", artifacts={
        "input": Out("Baseline-model-blessing-resolver", "model_blessing")
    })  # fmt: skip
    spec.task("Trainer", after=["Baseline-model-resolver"])
    spec.task("Evaluator", artifacts={"model": Out("Trainer", "model")})
    return spec


def test_the_latest_blessed_model_is_found(run: Runner):
    first = run(training(1))
    assert first.succeeded
    assert first.tasks["Baseline-model-resolver"].outputs == {"model": ()}, "there is none yet"
    run(training(0))
    third = run(training(0))
    assert (
        third.tasks["Baseline-model-resolver"].outputs["model"]
        == first.tasks["Trainer"].outputs["model"]
    ), "not the newest, which is not blessed"
    fourth = run(training(1), use_cache=False)
    assert (
        run(training(1)).tasks["Baseline-model-resolver"].outputs["model"]
        == fourth.tasks["Trainer"].outputs["model"]
    )


def test_what_was_removed_is_not_live(run: Runner):
    first = run(training(1))
    pathlib.Path(first.tasks["Trainer"].outputs["model"][0].uri).unlink()
    assert run(training(1)).tasks["Baseline-model-resolver"].outputs == {"model": ()}


def test_other_pipelines_are_not_looked_into(run: Runner):
    run(training(1))
    other = training(1)
    other.document["pipelineInfo"]["name"] = "other"
    assert run(other).tasks["Baseline-model-resolver"].outputs == {"model": ()}


def test_as_many_as_asked_for_newest_first(run: Runner):
    spec = training(1)
    query = {"filter": MODEL, "limit": 2}
    spec.executor("Latest", {"resolver": {"outputArtifactQueries": {"models": query}}},
                  makes=["models"])  # fmt: skip
    spec.task("Latest", after=["Trainer"])
    made = [run(spec, use_cache=False).tasks["Trainer"].outputs["model"][0].name for _ in range(3)]
    found = run(spec).tasks["Latest"].outputs["models"]
    assert [artifact.name for artifact in found] == [made[2], made[1]]


@pytest.mark.parametrize(
    ("text", "passes"),
    [
        ('schema_title="tfx.Model"', True),
        ("schema_title='tfx.Model' AND state=LIVE", True),
        ('state = DELETED AND schema_title="tfx.Model"', False),
        ('name="a/1" AND uri="/m"', True),
        ("metadata.blessed.number_value=1", True),
        ('metadata.blessed.number_value=1.0 AND metadata.who.string_value="me"', True),
        ("metadata.blessed.bool_value=true", False),
        ("metadata.nothing.number_value=1", False),
    ],
)
def test_filters(text: str, passes: bool):
    kind = ArtifactType("instanceSchema", "title: tfx.Model\ntype: object\n")
    artifact = Artifact("a/1", kind, "/m", {"blessed": 1, "who": "me"})
    assert parse_filter(text)(artifact) is passes


@pytest.mark.parametrize(
    "text", ["", "name", 'name>"a"', "size=1", 'name="a" OR name="b"', "metadata.x.number_value=y"]
)
def test_other_filters_are_refused(text: str):
    with pytest.raises(TaskError, match="the resolver's filter"):
        parse_filter(text)
