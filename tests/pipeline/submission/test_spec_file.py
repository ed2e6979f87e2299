"""Reading compiled pipelines: which platform they are for, and what is wrong with others."""

from __future__ import annotations

import json
import pathlib

import pytest

from pipeline.submission.errors import SubmissionError
from pipeline.submission.parameters import parameter_values
from pipeline.submission.spec_file import read_spec
from tests.pipeline.submission.conftest import pipeline_spec


def test_platforms(vertex_spec: pathlib.Path, kubeflow_spec: pathlib.Path):
    job, spec = read_spec(str(vertex_spec)), read_spec(str(kubeflow_spec))
    assert (job.platform, job.name, job.pipeline_root) == (
        "vertex",
        "flowersim",
        "gs://bucket/root",
    )
    assert (spec.platform, spec.name) == ("kfp", "flowersim")
    assert spec.pipeline_root == str(kubeflow_spec.parent / "root")


def test_from_an_object_store(vertex_spec: pathlib.Path):
    import tensorflow as tf

    with tf.io.gfile.GFile("ram://spec-file/pipeline.json", "w") as file:
        file.write(vertex_spec.read_text("utf-8"))
    assert read_spec("ram://spec-file/pipeline.json").name == "flowersim"
    with pytest.raises(SubmissionError, match="ram://spec-file/gone.json cannot be read"):
        read_spec("ram://spec-file/gone.json")


def test_without_cache_leaves_the_original(vertex_spec: pathlib.Path):
    spec = read_spec(str(vertex_spec))
    before = json.dumps(spec.document)
    assert json.dumps(spec.without_cache().document) != before
    assert json.dumps(spec.document) == before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.json", b"{", "x.json is no JSON"),
        ("x.yaml", b"a: [", "is neither JSON nor YAML"),
        ("x.yaml", b"", "holds no mapping"),
        ("x.yaml", b"- a\n", "holds no mapping"),
        ("x.yaml", b"\xff\xfe", "is no text"),
        ("x.yaml", b"a: 1\n---\nb: 1\n---\nc: 1\n", "more than a PipelineSpec and a PlatformSpec"),
        ("x.yaml", b"apiVersion: argoproj.io/v1alpha1\n", 'no field named "apiVersion"'),
        ("x.json", b'{"pipelineSpec": {"pipelineInfo": {}}}', "pipelineInfo.name is missing"),
        ("x.json", b'{"pipelineSpec": {"pipelineInfo": {"name": "a"}}}', "without tasks"),
        ("x.json", b'{"pipelineSpec": 3}', "is no compiled pipeline"),
    ],
)
def test_no_pipelines(tmp_path: pathlib.Path, name: str, content: bytes, message: str):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SubmissionError) as caught:
        read_spec(str(tmp_path / name))
    assert message in str(caught.value)


def test_nothing_there(tmp_path: pathlib.Path):
    with pytest.raises(SubmissionError, match="cannot be read: No such file"):
        read_spec(str(tmp_path / "gone.json"))


def test_parameters_of_an_old_schema(tmp_path: pathlib.Path):
    path = tmp_path / "old.json"
    job = {"pipelineSpec": pipeline_spec() | {"schemaVersion": "2.0.0"}}
    path.write_text(json.dumps(job), "utf-8")
    spec = read_spec(str(path))
    assert parameter_values(spec, []) == {}
    with pytest.raises(SubmissionError, match="compiled for schema 2.0.0"):
        parameter_values(spec, ["epochs=3"])
