"""Model config files: what they say, and everything that can be wrong with them."""

from __future__ import annotations

import pytest
from google.protobuf import any_pb2

from serving import model_config
from serving.errors import Code, ServingError
from serving.model_config import ModelConfig, RequestLogging
from serving.version_policy import VersionPolicy

# Written as an operator would, from TensorFlow Serving's guide `serving_config.md`.
WHOLE = """
model_config_list {
  # a comment
  config {
    name: 'my_first_model'
    base_path: '/models/my_first_model/'
    model_platform: 'tensorflow'
  }
  config: {
    name: "second" base_path: "gs://bucket/second"
    model_version_policy { specific { versions: 42 versions: 43 } }
    version_labels { key: 'stable' value: 42 }
    version_labels { key: 'canary' value: 43 }
    logging_config {
      log_collector_config { type: "" filename_prefix: "/logs/second" }
      sampling_config { sampling_rate: 0.25 }
    }
  }
  config { name: "third" base_path: "/m/third" model_version_policy { latest { num_versions: 2 } } }
  config { name: "fourth" base_path: "/m/fourth" model_version_policy { all: {} } }
}
"""


def one(more: str = "", *, name: str = "m", base: str = "/m") -> str:
    return f'model_config_list {{ config {{ name: "{name}" base_path: "{base}" {more} }} }}'


def test_everything_that_is_used():
    assert model_config.parse(WHOLE) == [
        ModelConfig("my_first_model", "/models/my_first_model/"),
        ModelConfig(
            "second",
            "gs://bucket/second",
            VersionPolicy("specific", versions=frozenset({42, 43})),
            {"stable": 42, "canary": 43},
            RequestLogging("/logs/second", 0.25),
        ),
        ModelConfig("third", "/m/third", VersionPolicy("latest", 2)),
        ModelConfig("fourth", "/m/fourth", VersionPolicy("all")),
    ]


def test_no_models():
    assert model_config.parse("") == []
    assert model_config.parse("model_config_list {}") == []


@pytest.mark.parametrize("policy", ["", "latest {}", "latest { num_versions: 0 }"])
def test_a_number_of_versions_that_is_left_out_is_one(policy):
    (config,) = model_config.parse(one(f"model_version_policy {{ {policy} }}"))
    assert config.policy == VersionPolicy("latest", 1)


@pytest.mark.parametrize(
    "logging",
    [
        "logging_config {}",
        'logging_config { log_collector_config { filename_prefix: "/x" } }',
        "logging_config { sampling_config { sampling_rate: 0 } }",
    ],
)
def test_a_rate_of_nothing_logs_nothing(logging):
    (config,) = model_config.parse(one(logging))
    assert config.logging is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model_config_list {", "not a ModelServerConfig: "),
        ("{}", "not a ModelServerConfig: "),
        ("model_config_lists {}", 'no field named "model_config_lists"'),
        ('model_config_list { config { nmae: "m" } }', 'no field named "nmae"'),
        (one(name=""), "a model in the config list has no name"),
        (one(base=""), "model m has no base_path"),
        (one('model_platform: "tfjs"'), "Model m requests unsupported platform tfjs"),
        (
            'model_config_list { config { name: "m" base_path: "/a" } '
            'config { name: "m" base_path: "/b" } }',
            "Illegal to list model m multiple times in config list",
        ),
        (
            one("model_version_policy { specific {} }"),
            "model m: the specific version policy lists no versions",
        ),
        (
            one("model_version_policy { all {} latest {} }"),
            'is specified along with field "',
        ),
        (
            one("logging_config { sampling_config { sampling_rate: 1.5 } }"),
            "model m: sampling_rate 1.5 is not in [0, 1]",
        ),
        (
            one("logging_config { sampling_config { sampling_rate: -1 } }"),
            "model m: sampling_rate -1.0 is not in [0, 1]",
        ),
        (
            one("logging_config { sampling_config { sampling_rate: nan } }"),
            "model m: sampling_rate nan is not in [0, 1]",
        ),
        (
            one("logging_config { sampling_config { sampling_rate: 0.5 } }"),
            "model m: logging_config has no filename_prefix",
        ),
        (one("model_version_policy { latest { num_versions: -1 } }"), "-1"),
        (one('version_labels { key: "a" value: "b" }'), "not a ModelServerConfig: "),
    ],
)
def test_mistakes(text, message):
    with pytest.raises(ServingError) as caught:
        model_config.parse(text)
    assert caught.value.code is Code.INVALID_ARGUMENT
    assert message in caught.value.message


def test_custom_configs_need_a_loader_that_there_is_not():
    from tensorflow_serving.config import model_server_config_pb2

    message = model_server_config_pb2.ModelServerConfig(custom_model_config=any_pb2.Any())
    with pytest.raises(ServingError) as caught:
        model_config.from_message(message)
    assert caught.value.code is Code.FAILED_PRECONDITION
