"""What placeholders in commands become."""

from __future__ import annotations

import json
import pathlib

import pytest

from pipeline.spec_executor.errors import TaskError
from pipeline.spec_executor.placeholders import AbsentError, Placeholders


@pytest.fixture
def placeholders(tmp_path: pathlib.Path) -> Placeholders:
    (tmp_path / "value").write_text("from the file")
    model = {"name": "n/1", "uri": "gs://b/m", "metadata": {"blessed": 1, "who": "me"}}
    executor_input = {
        "inputs": {
            "parameterValues": {
                "text": 'say "hi"',
                "number": 3,
                "rate": 0.5,
                "flag": True,
                "list": [1, "a"],
                "tricky": "{{$.inputs.parameters['text']}}",
            },
            "artifacts": {
                "model": {"artifacts": [model]},
                "file": {
                    "artifacts": [{"name": "n/2", "uri": str(tmp_path / "value"), "metadata": {}}]
                },
                "folder": {"artifacts": [{"name": "n/3", "uri": str(tmp_path), "metadata": {}}]},
                "none": {"artifacts": []},
            },
        },
        "outputs": {
            "artifacts": {"out": {"artifacts": [{"name": "n/4", "uri": "/o", "metadata": {}}]}},
            "parameters": {"p": {"outputFile": "/p"}},
            "outputFile": "/executor_output.json",
        },
    }
    return Placeholders(executor_input, {"pipeline_job_name": "job-1"})


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("no placeholder: {{x}} $ {}", "no placeholder: {{x}} $ {}"),
        ("{{$.inputs.parameters['text']}}", 'say "hi"'),
        ('{{$.inputs.parameters["number"]}}', "3"),
        ("--rate={{$.inputs.parameters['rate']}},", "--rate=0.5,"),
        ("{{$.inputs.parameters['flag']}}", "true"),
        ("{{$.inputs.parameters['list']}}", '[1, "a"]'),
        ("{{$.inputs.parameters['tricky']}}", "{{$.inputs.parameters['text']}}"),
        ("\"{{$.inputs.parameters['text'].json_escape[1]}}\"", json.dumps('say "hi"')),
        ("{{$.inputs.artifacts['model'].uri}}", "gs://b/m"),
        ("{{$.inputs.artifacts['model'].name}}", "n/1"),
        ("{{$.inputs.artifacts['model'].metadata['blessed']}}", "1"),
        ("{{$.inputs.artifacts['model'].metadata}}", '{"blessed": 1, "who": "me"}'),
        ("{{$.inputs.artifacts['file'].value}}", "from the file"),
        ("{{$.inputs.artifacts['folder'].value}}", "from the file"),
        ("{{$.outputs.artifacts['out'].path}}/{{$.outputs.artifacts['out'].uri}}", "/o//o"),
        ("{{$.outputs.parameters['p'].output_file}}", "/p"),
        ("{{$.outputs.output_file}}", "/executor_output.json"),
        ("{{$.pipeline_job_name}}", "job-1"),
    ],
)
def test_text(placeholders: Placeholders, text: str, result: str):
    assert placeholders.text(text) == result


def test_the_whole_input(placeholders: Placeholders):
    whole = json.loads(placeholders.text("{{$}}"))
    assert whole["inputs"]["parameterValues"]["text"] == 'say "hi"'
    assert set(whole) == {"inputs", "outputs"}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("{{$.inputs.parameters['nope']}}", AbsentError),
        ("{{$.inputs.artifacts['none'].uri}}", AbsentError),
        ("{{$.inputs.artifacts['model'].metadata['nope']}}", AbsentError),
        ("{{$.inputs.artifacts['model'].size}}", TaskError),
        ("{{$.inputs.artifacts['model'].value}}", TaskError),
        ("{{$.something}}", TaskError),
        ("{{$ inputs}}", TaskError),
    ],
)
def test_what_stands_for_nothing_is_refused(
    placeholders: Placeholders, text: str, error: type[TaskError]
):
    with pytest.raises(error, match=r"\{\{\$"):
        placeholders.text(text)


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ({"Concat": ["--n=", "{{$.inputs.parameters['number']}}"]}, ["--n=3"]),
        ({"IfPresent": {"InputName": "text", "Then": ["--t", "x"]}}, ["--t", "x"]),
        ({"IfPresent": {"InputName": "model", "Then": "m", "Else": "no"}}, ["m"]),
        ({"IfPresent": {"InputName": "none", "Then": "m", "Else": "no"}}, ["no"]),
        ({"IfPresent": {"InputName": "nope", "Then": "m"}}, []),
        ({"Concat": ["a", {"IfPresent": {"InputName": "nope", "Then": "b"}}, "c"]}, ["ac"]),
    ],
)
def test_parts_that_depend_on_inputs(placeholders: Placeholders, word: object, words: list[str]):
    assert placeholders.words(["first", json.dumps(word), "last"]) == ["first", *words, "last"]
