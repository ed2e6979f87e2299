"""What runs that TFX itself has executed are said to have written."""

# No postponed annotations here: TFX reads the annotations of component functions as objects.

import json
import pathlib
import shutil
from typing import Any

import pytest
from tfx import v1 as tfx

from pipeline.lineage import latest_run
from pipeline.metadata_store import connection_config, open_store
from pipeline.run_lineage import LineageError, artifact_of, code_of, outputs_of
from pipeline.run_records import RunRecord, find_run

String = tfx.types.standard_artifacts.String


@tfx.dsl.components.component
def Greeter(  # noqa: N802
    code_hash: tfx.dsl.components.Parameter[str],
    greeting: tfx.dsl.components.OutputArtifact[String],
):
    """Has its digest in a parameter of its own."""
    greeting.value = f"hello {code_hash}"


@tfx.dsl.components.component
def Answerer(  # noqa: N802
    custom_config: tfx.dsl.components.Parameter[str],
    greeting: tfx.dsl.components.InputArtifact[String],
    answer: tfx.dsl.components.OutputArtifact[String],
):
    """Has its digest somewhere in JSON, as an Evaluator has."""
    answer.value = greeting.value


@tfx.dsl.components.component
def Stranger(  # noqa: N802
    greeting: tfx.dsl.components.InputArtifact[String],
    word: tfx.dsl.components.OutputArtifact[String],
):
    """Has none."""
    word.value = greeting.value


def _execute(workdir: pathlib.Path, name: str, code: str) -> RunRecord:
    greeter = Greeter(code_hash="0" * 16)
    nested = json.dumps({"metrics": [{"config": json.dumps({"ks": [1], "code": code})}]})
    greeting = greeter.outputs["greeting"]
    metadata = connection_config(workdir, None)
    tfx.orchestration.LocalDagRunner().run(
        tfx.dsl.Pipeline(
            pipeline_name="greetings",
            pipeline_root=str(workdir / "pipeline_root"),
            components=[
                greeter,
                Answerer(custom_config=nested, greeting=greeting),
                Stranger(greeting=greeting),
            ],
            enable_cache=True,
            metadata_connection_config=metadata,
        )
    )
    run = latest_run(open_store(metadata), "greetings")
    assert run is not None
    _keep(workdir, name, run.id)
    return find_run(name, workdir)


def _keep(workdir: pathlib.Path, name: str, run_id: str | None) -> None:
    folder = workdir / "runs" / name
    folder.mkdir(parents=True)
    summary: dict[str, Any] = {"status": "succeeded", "name": name, "run_id": run_id}
    (folder / "summary.json").write_text(json.dumps(summary), "utf-8")
    (folder / "settings.yaml").write_text("run: {pipeline_name: greetings}", "utf-8")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[RunRecord]:
    """Two runs in one workdir; in the second Answerer's code had changed."""
    workdir = tmp_path_factory.mktemp("greetings")
    return [_execute(workdir, name, digit * 16) for name, digit in (("one", "1"), ("two", "2"))]


def test_each_run_has_its_own_outputs(runs: list[RunRecord]) -> None:
    first, second = map(outputs_of, runs)
    assert (first.id, second.id) == tuple(record.summary["run_id"] for record in runs)
    assert set(first.outputs) == set(second.outputs)
    # The Greeter's was taken from the cache.
    assert first.outputs["Greeter", "greeting"] == second.outputs["Greeter", "greeting"]
    assert first.outputs["Answerer", "answer"].uri != second.outputs["Answerer", "answer"].uri
    found = artifact_of(runs[1], second, "Answerer", "answer")
    assert pathlib.Path(found.uri).read_text("utf-8") == f"hello {'0' * 16}"


def test_each_run_knows_its_code(runs: list[RunRecord]) -> None:
    assert code_of(runs[0]) == {"Answerer": "1" * 16, "Greeter": "0" * 16}
    assert code_of(runs[1]) == {"Answerer": "2" * 16, "Greeter": "0" * 16}


def test_reading_writes_nothing(runs: list[RunRecord]) -> None:
    store = runs[0].workdir / "metadata.sqlite"
    before = store.read_bytes(), sorted(path.name for path in store.parent.iterdir())
    outputs_of(runs[0])
    assert before == (store.read_bytes(), sorted(path.name for path in store.parent.iterdir()))


def test_what_is_gone_is_named(runs: list[RunRecord], tmp_path: pathlib.Path) -> None:
    workdir = tmp_path / "copy"
    shutil.copytree(runs[0].workdir, workdir)
    _keep(workdir, "unknown", "another day")
    _keep(workdir, "early", None)
    with pytest.raises(LineageError, match="no run another day of the pipeline greetings"):
        outputs_of(find_run("unknown", workdir))
    with pytest.raises(LineageError, match="before its first component"):
        outputs_of(find_run("early", workdir))
    run = outputs_of(runs[0])
    with pytest.raises(LineageError, match="Trainer did not finish"):
        artifact_of(runs[0], run, "Trainer", "model")
    (workdir / "metadata.sqlite").unlink()
    with pytest.raises(LineageError, match=r"there is no metadata\.sqlite"):
        outputs_of(find_run("one", workdir))
    assert not (workdir / "metadata.sqlite").exists()


def test_files_that_are_gone_are_named(runs: list[RunRecord]) -> None:
    run = outputs_of(runs[0])
    path = pathlib.Path(run.outputs["Stranger", "word"].uri)
    moved = path.rename(path.with_name("moved"))
    try:
        with pytest.raises(LineageError, match=f"{path}, which was deleted or moved"):
            artifact_of(runs[0], run, "Stranger", "word")
    finally:
        moved.rename(path)
