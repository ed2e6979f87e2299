"""The package could be lifted out: what it imports, and where it writes."""

from __future__ import annotations

import ast
import os
import pathlib
import sys
from collections.abc import Callable

from pipeline.spec_executor import spec as one_of_its_modules
from pipeline.spec_executor.artifacts import absolute_root
from pipeline.spec_executor.run import Run
from tests.pipeline.spec_executor.specs import Out, Spec

FOLDER = pathlib.Path(one_of_its_modules.__file__).parent
ALLOWED = {"google.protobuf", "rich", "yaml", "pipeline.spec_executor"}


def imports(file: pathlib.Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def test_it_knows_nothing_of_flowersim_or_tfx():
    files = sorted(FOLDER.rglob("*.py"))
    assert len(files) > 20
    foreign = {
        f"{file.name}: {name}"
        for file in files
        for name in imports(file)
        if name.partition(".")[0] not in sys.stdlib_module_names
        and not any(f"{name}.".startswith(f"{allowed}.") for allowed in ALLOWED)
    }
    assert foreign == set()


def test_it_speaks_of_no_one_component():
    text = "".join(file.read_text("utf-8") for file in FOLDER.rglob("*.py"))
    for word in ("flowers", "tensorflow", "tfx.orchestration", "run_executor"):
        assert word not in text.replace("nothing of flowersim", "")


def test_roots_are_absolute_and_buckets_are_left_alone(tmp_path: pathlib.Path):
    assert absolute_root("gs://bucket/root/") == "gs://bucket/root"
    assert absolute_root("some/root") == os.path.join(os.getcwd(), "some/root")
    assert absolute_root(f"file://{tmp_path}/x/") == f"{tmp_path}/x"


def test_a_bucket_as_root_is_passed_on_to_the_tasks(
    tmp_path: pathlib.Path, run: Callable[..., Run], monkeypatch
):
    monkeypatch.chdir(tmp_path)
    spec = Spec()
    spec.shell("make", 'echo "$1"; printf 5 > "$2"', "{{$.outputs.artifacts['out'].uri}}",
               "{{$.outputs.parameters['n'].output_file}}",
               makes=["out"], gives={"n": "NUMBER_INTEGER"})  # fmt: skip
    spec.shell("use", 'echo "$1"', "{{$.inputs.artifacts['in'].uri}}", artifacts=["in"])
    spec.task("make")
    spec.task("use", artifacts={"in": Out("make", "out")})
    result = run(spec, pipeline_root="gs://bucket/root")
    uri = f"gs://bucket/root/{result.id}/make-1/out"
    assert result.succeeded and result.tasks["make"].parameters == {"n": 5}
    logs = [result.tasks[name].log for name in ("make", "use")]
    assert [log.read_text() for log in logs if log] == [f"{uri}\n", f"{uri}\n"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["spec.json", "store"]
    again = run(spec, pipeline_root="gs://bucket/root")
    assert all(task.cached for task in again.tasks.values()), "nothing there can be looked at"


def test_what_a_store_holds(tmp_path: pathlib.Path, run: Callable[..., Run]):
    spec = Spec()
    spec.shell("make", 'echo x > "$1"', "{{$.outputs.artifacts['out'].path}}", makes=["out"])
    spec.task("make")
    result = run(spec)
    assert result.folder == tmp_path / "store" / "runs" / result.id
    assert {path.name for path in result.folder.iterdir()} == {"logs", "tasks", "result.json"}
    (artifact,) = result.tasks["make"].outputs["out"]
    assert artifact.uri == f"{tmp_path}/root/{result.id}/make-1/out"
    assert artifact.name.endswith(f"artifacts/{result.id}-1-out")
