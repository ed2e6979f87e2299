"""The models of a server: which there are now, and which version of one a request means.

Not for the versions of one model (`versions.py`) nor for reading configurations
(`model_config.py`).
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Callable, Sequence

from serving.errors import Code, ServingError, invalid_argument
from serving.model_config import ModelConfig, RequestLogging, check_names
from serving.servable import Servable
from serving.version_folders import check_base_path
from serving.version_policy import VersionPolicy
from serving.versions import ModelVersions, VersionStatus, servable_not_found

_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class ModelSpec:
    """What a request asks for; `version` and `label` are None where it leaves them out."""

    name: str
    version: int | None = None
    label: str | None = None


@dataclasses.dataclass(frozen=True)
class _Entry:
    config: ModelConfig
    versions: ModelVersions[Servable]


class Models:
    """A set of models that can be replaced while requests are answered.

    Args:
        make_versions: Makes the versions of one model, not yet started, of name, base path and
            policy.
        unavailable_labels: Whether new labels may be given to versions that are not loaded. (One
            that is in use can only be moved to a version that is.)
    """

    def __init__(
        self,
        make_versions: Callable[[str, str, VersionPolicy], ModelVersions[Servable]],
        *,
        unavailable_labels: bool = False,
    ) -> None:
        self._make_versions = make_versions
        self._unavailable_labels = unavailable_labels
        # Never changed, only replaced: requests read it without a lock.
        self._entries: dict[str, _Entry] = {}
        self._changing = threading.Lock()

    def configure(self, configs: Sequence[ModelConfig], *, first: bool = False) -> None:
        """Serves these models and no others from now on, whole or not at all.

        Args:
            configs: The models.
            first: At a server's start nothing is loaded yet, so every label may be given.

        Raises:
            ServingError: INVALID_ARGUMENT for a name that is there twice; FAILED_PRECONDITION for a
                label of a version that is not loaded.
            OSError: if a base path does not exist or cannot be read.
        """
        check_names(configs)
        with self._changing:
            before = self._entries
            for config in configs:
                known = before.get(config.name)
                if known is None or known.config.base_path != config.base_path:
                    check_base_path(config.base_path)
                _check_labels(config, known, new_may_wait=first or self._unavailable_labels)
            started = self._started([c for c in configs if c.name not in before])
            after = {}
            for config in configs:
                if config.name in started:
                    versions = started[config.name]
                    _LOG.info("%s: serving from %s", config.name, config.base_path)
                else:
                    versions = before[config.name].versions
                    versions.follow(config.base_path, config.policy)
                after[config.name] = _Entry(config, versions)
            self._entries = after
            for name in before.keys() - after.keys():
                _LOG.info("%s: no longer served", name)
                before[name].versions.stop()

    def _started(self, configs: Sequence[ModelConfig]) -> dict[str, ModelVersions[Servable]]:
        """Starts new models, or none where one of them cannot be."""
        started = {}
        try:
            for config in configs:
                versions = self._make_versions(config.name, config.base_path, config.policy)
                versions.start()
                started[config.name] = versions
        except BaseException:
            for versions in started.values():
                versions.stop()
            raise
        return started

    def configs(self) -> list[ModelConfig]:
        """The models, as configured last."""
        return [entry.config for entry in self._entries.values()]

    def has(self, name: str) -> bool:
        """Whether there is a model of that name."""
        return name in self._entries

    def logging_of(self, name: str) -> RequestLogging | None:
        """How a model's requests are logged; None for not at all, or if there is no such model."""
        entry = self._entries.get(name)
        return entry.config.logging if entry is not None else None

    def get(self, spec: ModelSpec) -> Servable:
        """The version that answers a request.

        Raises:
            ServingError: NOT_FOUND, if it is not loaded; INVALID_ARGUMENT for an unknown label, or
                none and no name.
        """
        if not spec.name:
            raise invalid_argument("ModelSpec has no name specified.")
        entry = self._entries.get(spec.name)
        version = spec.version
        if spec.label is not None:
            labels = entry.config.labels if entry is not None else {}
            if spec.label not in labels:
                raise invalid_argument(f"Unrecognized servable version label: {spec.label}")
            version = labels[spec.label]
        if entry is None:
            raise servable_not_found(spec.name, version)
        return entry.versions.get(version)

    def statuses(self, name: str, version: int | None = None) -> list[VersionStatus]:
        """The states of a model's versions, newest first, or of one of them.

        Raises:
            ServingError: NOT_FOUND, if there are none.
        """
        entry = self._entries.get(name)
        statuses = entry.versions.statuses() if entry is not None else []
        if version is not None:
            statuses = [status for status in statuses if status.version == version]
        if not statuses:
            missing = "any versions" if version is None else f"version {version}"
            raise ServingError(Code.NOT_FOUND, f"Could not find {missing} of model {name}")
        return statuses

    def unready(self) -> list[str]:
        """Names of the models of which no version is loaded."""
        return [n for n, entry in self._entries.items() if not entry.versions.is_available()]

    def is_settled(self, name: str) -> bool:
        """Whether it is known if a model can be served, or there is no such model."""
        entry = self._entries.get(name)
        return entry is None or entry.versions.is_settled()

    def wait_until_available(self, timeout_seconds: float) -> None:
        """Waits for a version of each model that can be served.

        Raises:
            ServingError: See `ModelVersions.wait_until_available`.
        """
        end = time.monotonic() + timeout_seconds
        for entry in self._entries.values():
            entry.versions.wait_until_available(max(0.0, end - time.monotonic()))

    def stop(self) -> None:
        """Stops looking for versions, and lets go of all."""
        with self._changing:
            before, self._entries = self._entries, {}
            for entry in before.values():
                entry.versions.stop()


def _check_labels(config: ModelConfig, known: _Entry | None, *, new_may_wait: bool) -> None:
    for label, version in config.labels.items():
        before = known.config.labels.get(label) if known is not None else None
        if before == version or (before is None and new_may_wait):
            continue
        try:
            if known is None:
                raise servable_not_found(config.name, version)
            known.versions.get(version)
        except ServingError:
            raise ServingError(
                Code.FAILED_PRECONDITION,
                f"Request to assign label to version {version} of model {config.name}, "
                "which is not currently available for inference",
            ) from None
