"""Submitting only when there is new data."""

from __future__ import annotations

import json
import os
import pathlib
from collections.abc import Callable

import pytest

from pipeline.cli import main
from pipeline.submission.errors import SubmissionError
from pipeline.submission.jobs import JobRequest
from pipeline.submission.new_data import look, remember
from pipeline.submission.spec_file import SpecFile, read_spec


@pytest.fixture
def data(tmp_path: pathlib.Path) -> pathlib.Path:
    """The folder that the pipeline's data_folder names."""
    folder = tmp_path / "data"
    (folder / "1.0.0").mkdir(parents=True)
    (folder / "1.0.0" / "shard").write_bytes(b"abc")
    return folder


@pytest.fixture
def submit(kubeflow, kubeflow_spec: pathlib.Path) -> Callable[..., int]:
    """Gives `submit(*arguments)`: how many runs there are afterwards."""

    def call(*arguments: str) -> int:
        command = ["submit", str(kubeflow_spec), "--host", kubeflow.url, "--if-new-data"]
        assert main([*command, *arguments]) == 0
        return len(kubeflow.runs)

    return call


def test_once_for_each_state_of_the_data(
    submit: Callable[..., int],
    data: pathlib.Path,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
):
    assert submit() == 1
    assert f"new data in {data}: 1 files\nsubmitted  runs-1\n" in capsys.readouterr().out
    assert submit() == 1
    assert capsys.readouterr().out == f"no new data in {data}: submitted as runs-1\n"
    record = json.loads((tmp_path / "root" / "submitted" / "flowersim.json").read_text("utf-8"))
    assert (record["job"], record["files"], record["folder"]) == ("runs-1", 1, str(data))

    (data / "1.0.0" / "shard-2").write_bytes(b"d")
    assert (submit(), submit()) == (2, 2)
    (data / "1.0.0" / "shard-2").write_bytes(b"de")
    assert (submit(), submit()) == (3, 3)
    os.utime(data / "1.0.0" / "shard", (1, 1))
    assert (submit(), submit()) == (4, 4)
    (data / "1.0.0" / "shard").rename(data / "1.0.0" / "renamed")
    assert (submit(), submit()) == (5, 5)
    (data / "1.0.0" / "renamed").unlink()
    assert (submit(), submit()) == (6, 6)


def test_dry_run_submits_and_records_nothing(
    submit: Callable[..., int],
    data: pathlib.Path,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
):
    assert submit("--dry-run") == 0
    assert capsys.readouterr().out.startswith(f"new data in {data}: 1 files\n{{")
    assert not (tmp_path / "root").exists()
    assert submit() == 1


def test_a_failed_submission_is_not_recorded(
    kubeflow, kubeflow_spec: pathlib.Path, data: pathlib.Path, tmp_path: pathlib.Path
):
    kubeflow.refusal = (500, "{}")
    command = ["submit", str(kubeflow_spec), "--host", kubeflow.url, "--if-new-data"]
    assert main(command) == 1
    assert not (tmp_path / "root").exists()


def test_another_folder_is_new(
    submit: Callable[..., int], data: pathlib.Path, tmp_path: pathlib.Path
):
    assert submit() == 1
    data.rename(tmp_path / "moved")
    assert submit("--parameter", f"data_folder={tmp_path / 'moved'}") == 2


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data, record: (data / "1.0.0" / "shard").unlink(), "holds no file"),
        (lambda data, record: (data / "1.0.0" / "shard").parent.rename("x"), "holds no file"),
        (lambda data, record: record.write_text("{"), "is damaged"),
        (lambda data, record: record.write_text("[1]"), "is damaged"),
    ],
)
def test_damage_is_told(
    submit: Callable[..., int],
    kubeflow,
    kubeflow_spec: pathlib.Path,
    data: pathlib.Path,
    tmp_path: pathlib.Path,
    damage: Callable[[pathlib.Path, pathlib.Path], object],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    submit()
    damage(data, tmp_path / "root" / "submitted" / "flowersim.json")
    command = ["submit", str(kubeflow_spec), "--host", kubeflow.url, "--if-new-data"]
    assert main(command) == 1
    assert message in capsys.readouterr().err


def test_a_folder_that_is_not_there(kubeflow_spec: pathlib.Path, tmp_path: pathlib.Path):
    with pytest.raises(SubmissionError, match="cannot be read|holds no file"):
        look(read_spec(str(kubeflow_spec)), {"data_folder": str(tmp_path / "gone")}, None)
    with pytest.raises(SubmissionError, match="has no parameter data_folder.*it has a, b"):
        look(read_spec(str(kubeflow_spec)), {"b": 1, "a": 2}, None)


def test_in_an_object_store(kubeflow_spec: pathlib.Path):
    """TensorFlow's file system in memory stands for one: paths are URLs, folders come by need."""
    import tensorflow as tf

    spec = read_spec(str(kubeflow_spec))
    tf.io.gfile.makedirs("ram://new-data/set")
    with tf.io.gfile.GFile("ram://new-data/set/shard", "w") as file:
        file.write("abc")

    def state():
        return look(spec, {"data_folder": "ram://new-data/set"}, "ram://new-data/root")

    first = state()
    assert first.new and first.record == "ram://new-data/root/submitted/flowersim.json"
    remember(first, "job-1")
    assert not state().new
    with tf.io.gfile.GFile("ram://new-data/set/shard", "w") as file:
        file.write("abcd")
    assert state().new


def test_a_submission_that_was_not_recorded_is_found_again(
    vertex, vertex_spec: pathlib.Path, data: pathlib.Path, tmp_path: pathlib.Path
):
    """As after a crash between the two: on Vertex AI the same data names the same job."""
    from pipeline.submission.vertex import Vertex
    from pipeline.vertex_ai.clients import find_place

    spec: SpecFile = read_spec(str(vertex_spec))
    platform = Vertex(find_place("my-project", "europe-west4"))

    def submit(*, record: bool) -> str:
        state = look(spec, {"data_folder": str(data)}, str(tmp_path))
        assert state.new
        job = platform.submit(JobRequest(spec, "flowers", key=state.key))
        if record:
            remember(state, job.name)
        return job.name

    first = submit(record=False)
    assert submit(record=True) == first and len(vertex.pipelines.jobs) == 1
    # And back to what it was: a job of its own.
    before = (data / "1.0.0" / "shard").stat()
    (data / "1.0.0" / "shard").write_bytes(b"abcd")
    assert submit(record=True) != first
    (data / "1.0.0" / "shard").write_bytes(b"abc")
    os.utime(data / "1.0.0" / "shard", ns=(before.st_atime_ns, before.st_mtime_ns))
    submit(record=True)
    assert len(vertex.pipelines.jobs) == 3
