"""What a server serves: models, where their versions are, which of them, and labels.

Reads TensorFlow Serving's model config files, `ModelServerConfig` messages in text form:

    model_config_list {
      config {
        name: "flowers"
        base_path: "/models/flowers"
        model_platform: "tensorflow"
        model_version_policy { specific { versions: 1 versions: 2 } }
        version_labels { key: "stable" value: 1 }
      }
    }

Not for watching the file (`config_file.py`) nor for acting on it (`models.py`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from serving.errors import Code, ServingError, invalid_argument
from serving.version_policy import VersionPolicy

_PLATFORM = "tensorflow"


@dataclasses.dataclass(frozen=True)
class RequestLogging:
    """Where requests and responses are logged, and what share of them.

    Attributes:
        prefix: Beginning of the files' paths.
        rate: The share that is logged, 0 to 1.
    """

    prefix: str
    rate: float


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """One model.

    Attributes:
        name: In URLs and requests.
        base_path: The folder of the version folders.
        policy: Which versions are served.
        labels: Versions by label.
        logging: How requests are logged; None for not at all.
    """

    name: str
    base_path: str
    policy: VersionPolicy = VersionPolicy()
    labels: Mapping[str, int] = dataclasses.field(default_factory=dict)
    logging: RequestLogging | None = None


def parse(text: str) -> list[ModelConfig]:
    """Reads a model config file.

    Raises:
        ServingError: INVALID_ARGUMENT for whatever is wrong with it.
    """
    from google.protobuf import text_format
    from tensorflow_serving.config import model_server_config_pb2

    try:
        message = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    except text_format.ParseError as error:
        raise invalid_argument(f"not a ModelServerConfig: {error}") from None
    return from_message(message)


def from_message(message: Any) -> list[ModelConfig]:
    """Reads a `ModelServerConfig` message.

    Raises:
        ServingError: INVALID_ARGUMENT for whatever is wrong with it; FAILED_PRECONDITION for a
            custom config, which no server has a loader for by itself.
    """
    kind = message.WhichOneof("config")
    if kind is None:
        return []
    if kind != "model_config_list":
        raise ServingError(Code.FAILED_PRECONDITION, "only model_config_list is supported")
    configs = [_model(config) for config in message.model_config_list.config]
    check_names(configs)
    return configs


def check_names(configs: Sequence[ModelConfig]) -> None:
    """Raises ServingError (INVALID_ARGUMENT) where two models have one name."""
    seen = set()
    for config in configs:
        if config.name in seen:
            raise invalid_argument(
                f"Illegal to list model {config.name} multiple times in config list"
            )
        seen.add(config.name)


def _model(message: Any) -> ModelConfig:
    if not message.name:
        raise invalid_argument("a model in the config list has no name")
    if not message.base_path:
        raise invalid_argument(f"model {message.name} has no base_path")
    if message.model_platform not in ("", _PLATFORM):
        raise invalid_argument(
            f"Model {message.name} requests unsupported platform {message.model_platform}"
        )
    try:
        policy = _policy(message.model_version_policy)
    except ValueError as error:
        raise invalid_argument(f"model {message.name}: {error}") from None
    return ModelConfig(
        message.name,
        message.base_path,
        policy,
        dict(message.version_labels),
        _logging(message) if message.HasField("logging_config") else None,
    )


def _policy(message: Any) -> VersionPolicy:
    kind = message.WhichOneof("policy_choice")
    if kind == "all":
        return VersionPolicy("all")
    if kind == "specific":
        return VersionPolicy("specific", versions=frozenset(message.specific.versions))
    # A number that is left out is 0 in the message, and means 1.
    return VersionPolicy("latest", count=message.latest.num_versions or 1)


def _logging(message: Any) -> RequestLogging | None:
    logging = message.logging_config
    rate = logging.sampling_config.sampling_rate
    prefix = logging.log_collector_config.filename_prefix
    if not 0.0 <= rate <= 1.0:
        raise invalid_argument(f"model {message.name}: sampling_rate {rate} is not in [0, 1]")
    if rate and not prefix:
        raise invalid_argument(f"model {message.name}: logging_config has no filename_prefix")
    return RequestLogging(prefix, rate) if rate else None
