"""Values of pipeline parameters: defaults, types, and changes inside a JSON text."""

from __future__ import annotations

import json
import pathlib

import pytest

from pipeline.spec_executor.errors import ParameterError
from pipeline.spec_executor.parameters import resolve_parameters
from pipeline.spec_executor.spec import PipelineSpec
from tests.pipeline.spec_executor.specs import Spec

CONFIG = {"config": {"training": {"epochs": 20, "rate": 0.5, "seed": None}}, "names": ["a", "b"]}


@pytest.fixture
def spec(tmp_path: pathlib.Path) -> PipelineSpec:
    """One parameter of each type; two have no default."""
    made = Spec(
        parameters={
            "text": {"parameterType": "STRING", "defaultValue": "a: b"},
            "count": "NUMBER_INTEGER",
            "rate": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 1},
            "flag": {"parameterType": "BOOLEAN", "defaultValue": False},
            "list": {"parameterType": "LIST", "defaultValue": [1, 2]},
            "struct": {"parameterType": "STRUCT", "defaultValue": {"a": {"b": 1}}},
            "Trainer": "STRING",
            "maybe": {"parameterType": "STRING", "isOptional": True},
        }
    )
    made.values = {"count": 3, "Trainer": json.dumps(CONFIG)}
    return made.load(tmp_path)


def test_defaults_have_their_types(spec: PipelineSpec):
    values = resolve_parameters(spec)
    assert values == {
        "text": "a: b",
        "count": 3,
        "rate": 1.0,
        "flag": False,
        "list": [1, 2],
        "struct": {"a": {"b": 1}},
        "Trainer": json.dumps(CONFIG),
    }
    assert isinstance(values["count"], int) and isinstance(values["rate"], float)


def test_values_are_read_as_their_types_say(spec: PipelineSpec):
    changes = ["text=5", "count=4", "rate=2", "flag=true", "list=[x]", "struct={c: 1}", "maybe="]
    values = resolve_parameters(spec, changes)
    assert values["text"] == "5" and values["maybe"] == ""
    assert (values["count"], values["rate"], values["flag"]) == (4, 2.0, True)
    assert (values["list"], values["struct"]) == (["x"], {"c": 1})
    assert resolve_parameters(spec, {"text": "x=y"})["text"] == "x=y"


def test_one_value_inside_a_json_text_changes_and_no_other(spec: PipelineSpec):
    changes = [
        "Trainer.config.training.epochs=2",
        "Trainer.config.training.seed=7",
        "Trainer.names.1=c",
    ]
    changed = json.loads(resolve_parameters(spec, changes)["Trainer"])
    expected = json.loads(json.dumps(CONFIG))
    expected["config"]["training"].update(epochs=2, seed=7)
    expected["names"][1] = "c"
    assert changed == expected
    assert resolve_parameters(spec)["Trainer"] == json.dumps(CONFIG), "the default is as it was"


def test_one_value_inside_a_mapping_changes(spec: PipelineSpec):
    assert resolve_parameters(spec, ["struct.a.b=2"])["struct"] == {"a": {"b": 2}}
    assert resolve_parameters(spec)["struct"] == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("nothing=1", "nothing, and .* has no such parameter; it has Trainer .text., count .a who"),
        ("count", "--parameter count is not of the form NAME=VALUE"),
        ("count=1.5", "parameter count is a whole number, not 1.5"),
        ("count=true", "parameter count is a whole number, not true"),
        ("rate=x", 'parameter rate is a number, not "x"'),
        ("flag=1", "parameter flag is true or false, not 1"),
        ("list={}", "parameter list is a list, not {}"),
        ("list=[", "parameter list: '.' is no YAML"),
        ("Trainer.config.train.epochs=2", "Trainer.config has no train; it has training"),
        ("Trainer.config.training.epochs=x", 'Trainer.config.training.epochs is a number, not "x"'),
        ("Trainer.config.training=1", "Trainer.config.training is a mapping, not 1"),
        ("Trainer.names.2=c", "Trainer.names has no item 2; it has 2, counted from 0"),
        ("Trainer.names.0.x=c", 'Trainer.names.0 is "a", there is nothing inside it'),
        ("text.a=1", "parameter text is no mapping: set it whole, --parameter text=VALUE"),
        ("maybe.a=1", "parameter maybe has no default"),
    ],
)
def test_a_wrong_change_is_refused_with_what_there_is(
    spec: PipelineSpec, change: str, message: str
):
    with pytest.raises(ParameterError, match=message):
        resolve_parameters(spec, [change])


def test_all_missing_values_are_named(tmp_path: pathlib.Path):
    spec = Spec(parameters={"one": "STRING", "two": "NUMBER_INTEGER"}).load(tmp_path)
    with pytest.raises(ParameterError, match="needs a value for .*--parameter one=VALUE"):
        resolve_parameters(spec)
    with pytest.raises(ParameterError, match="needs a value for two: give --parameter two=VALUE"):
        resolve_parameters(spec, ["one=x"])


def test_a_value_of_the_job_must_be_of_a_parameter(tmp_path: pathlib.Path):
    spec = Spec(parameters={"one": "STRING"})
    spec.values = {"one": "x", "other": 1}
    with pytest.raises(ParameterError, match="runtimeConfig has a value for other"):
        resolve_parameters(spec.load(tmp_path))


def test_a_name_with_dots_is_found_before_a_path(tmp_path: pathlib.Path):
    spec = Spec(parameters={"a.b": "STRING", "a": "STRING"})
    spec.values = {"a.b": "x", "a": '{"b": 1, "c": 2}'}
    values = resolve_parameters(spec.load(tmp_path), ["a.b=y", "a.c=3"])
    assert values == {"a.b": "y", "a": '{"b": 1, "c": 3}'}
