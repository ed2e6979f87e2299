"""The versions of one model: loaded in the background and swapped without a gap.

As in TensorFlow Serving, a policy (`version_policy.py`) says which versions are wanted, and what is
served stays until what replaces it is loaded. Beyond that: while the newest version cannot be
loaded, the "latest" policy serves the next older one that can, also after a restart.

Not for finding version folders (`version_folders.py`), nor for what a version is (`servable.py`).
"""

from __future__ import annotations

import dataclasses
import enum
import logging
import threading
import time
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from serving import memory, version_folders
from serving.errors import Code, ServingError
from serving.version_policy import VersionPolicy

_LOG = logging.getLogger(__name__)

_ENDED_VERSIONS_KEPT = 20


class State(enum.Enum):
    """The states of a version that TensorFlow Serving's status API shows."""

    LOADING = "LOADING"
    AVAILABLE = "AVAILABLE"
    END = "END"  # unloaded, or could not be loaded


@dataclasses.dataclass(frozen=True)
class VersionStatus:
    """A version's state; `error` says why it could not be loaded."""

    version: int
    state: State
    error: ServingError | None = None


class Versioned(Protocol):
    """What a loader returns."""

    version: int


Model = TypeVar("Model", bound=Versioned)


class ModelVersions(Generic[Model]):
    """Serves the versions of a model that a policy asks for.

    Args:
        name: The model's name.
        base_path: The folder of the version folders: a local path, or a URL that TensorFlow reads.
        load: Called with name, version and folder, on the thread that also polls. What it raises
            is shown in the version's status.
        policy: Which versions are wanted.
        poll_seconds: Time between two looks at the base path; 0 looks once.
        max_load_retries: How often a load that failed is tried again.
        retry_seconds: The least time before it is.
    """

    def __init__(
        self,
        name: str,
        base_path: str,
        load: Callable[[str, int, str], Model],
        *,
        policy: VersionPolicy = VersionPolicy(),  # noqa: B008 (it is frozen)
        poll_seconds: float = 1.0,
        max_load_retries: int = 5,
        retry_seconds: float = 60.0,
    ) -> None:
        self.name = name
        self.base_path = base_path
        self._load = load
        self._policy = policy
        self._poll_seconds = poll_seconds
        self._max_load_retries = max_load_retries
        self._retry_seconds = retry_seconds
        # Never changed, only replaced: requests read it without a lock.
        self._serving: dict[int, Model] = {}
        self._statuses: dict[int, VersionStatus] = {}
        self._failures: dict[int, tuple[int, float]] = {}  # how many, and when the last was
        self._all_failed = False
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"versions-{name}", daemon=True)

    def start(self) -> None:
        """Begins to look for versions.

        Raises:
            OSError: if the base path does not exist or cannot be read. (An empty one is waited
                for.)
        """
        version_folders.check_base_path(self.base_path)
        self._thread.start()

    def stop(self) -> None:
        """Stops looking and lets go of the model, once a load that is under way is done."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._serving = {}

    def follow(self, base_path: str, policy: VersionPolicy) -> None:
        """Looks for other versions from now on, and at once.

        Raises:
            OSError: if the base path does not exist or cannot be read; nothing changes then.
        """
        if base_path != self.base_path:
            version_folders.check_base_path(base_path)
        with self._changed:
            self.base_path, self._policy = base_path, policy
        self._wake.set()

    def get(self, version: int | None = None) -> Model:
        """The model that answers a request.

        Args:
            version: Its number; None for the newest.

        Raises:
            ServingError: NOT_FOUND, if it is not loaded.
        """
        serving = self._serving
        if version is None and serving:
            return serving[max(serving)]
        if version not in serving:
            raise servable_not_found(self.name, version)
        return serving[version]

    def is_available(self) -> bool:
        """Whether any version is loaded."""
        return bool(self._serving)

    def is_settled(self) -> bool:
        """Whether any version is loaded, or all that are wanted were tried in vain."""
        return bool(self._serving) or self._all_failed

    def statuses(self) -> list[VersionStatus]:
        """Every version that loading was begun of, newest first."""
        with self._changed:
            return [self._statuses[version] for version in sorted(self._statuses, reverse=True)]

    def wait_until_available(self, timeout_seconds: float) -> None:
        """Waits for a version that can be served.

        Raises:
            ServingError: why the newest version could not be loaded, if no other can be either;
                DEADLINE_EXCEEDED, if no version appears, or none is loaded, in time.
        """
        with self._changed:
            self._changed.wait_for(self.is_settled, timeout_seconds)
            if self._serving:
                return
        for status in self.statuses():
            if status.error is not None:
                raise status.error
        raise ServingError(
            Code.DEADLINE_EXCEEDED,
            f"no version of model {self.name} from {self.base_path} was available "
            f"within {timeout_seconds:g} seconds",
        )

    def _run(self) -> None:
        folders: dict[int, str] | None = None
        readable = True
        followed = None
        while not self._stopping.is_set():
            self._wake.clear()
            with self._changed:
                base_path, policy = self.base_path, self._policy
            if folders is None or base_path != followed or self._poll_seconds > 0:
                if base_path != followed:
                    # What failed elsewhere says nothing about the same number here.
                    followed, self._failures = base_path, {}
                try:
                    folders = version_folders.find(base_path)
                    readable = True
                except Exception as error:  # whatever a file system raises must not end the polling
                    if readable:
                        _LOG.error("%s: cannot read %s: %s", self.name, base_path, error)
                    readable = False
            if folders is not None:
                self._follow(folders, policy)
            self._wake.wait(self._poll_seconds or 1.0)

    def _follow(self, folders: dict[int, str], policy: VersionPolicy) -> None:
        """Loads what is wanted and not there yet, then lets go of the rest."""
        self._failures = {v: self._failures[v] for v in self._failures if v in folders}
        candidates = policy.candidates(folders)
        chosen: list[int] = []
        for version in candidates:
            if self._stopping.is_set():
                return
            if policy.is_enough(len(chosen)):
                break
            if version in self._serving or (
                self._is_due(version) and self._try_to_load(version, folders[version])
            ):
                chosen.append(version)
        if chosen or not candidates:
            if not candidates and self._serving:
                _LOG.warning("%s: no version is left in %s", self.name, self.base_path)
            self._keep(chosen)
        with self._changed:
            self._all_failed = bool(candidates) and not chosen
            self._changed.notify_all()

    def _is_due(self, version: int) -> bool:
        if version not in self._failures:
            return True
        failures, last = self._failures[version]
        return failures <= self._max_load_retries and time.monotonic() - last >= self._retry_seconds

    def _try_to_load(self, version: int, folder: str) -> bool:
        _LOG.info("%s: loading version %d", self.name, version)
        self._show(VersionStatus(version, State.LOADING))
        try:
            model = self._load(self.name, version, folder)
        except Exception as error:
            failures = self._failures.get(version, (0, 0.0))[0] + 1
            self._failures[version] = (failures, time.monotonic())
            shown = (
                error
                if isinstance(error, ServingError)
                else ServingError(Code.UNKNOWN, f"{type(error).__name__}: {error}")
            )
            # Clients can ask for the status, and the server's paths are not theirs to know.
            told = shown.message.replace(folder, f"version {version}")
            self._show(VersionStatus(version, State.END, ServingError(shown.code, told)))
            _LOG.error(
                "%s: version %d cannot be loaded (attempt %d of %d): %s",
                self.name,
                version,
                failures,
                self._max_load_retries + 1,
                shown.status,
            )
            return False
        self._add(model)
        _LOG.info("%s: version %d is available", self.name, version)
        return True

    def _show(self, status: VersionStatus) -> None:
        with self._changed:
            self._statuses[status.version] = status
            self._changed.notify_all()

    def _add(self, model: Model) -> None:
        with self._changed:
            self._serving = {**self._serving, model.version: model}
            self._statuses[model.version] = VersionStatus(model.version, State.AVAILABLE)
            self._changed.notify_all()

    def _keep(self, versions: list[int]) -> None:
        """Lets go of other versions. Requests that hold one finish with it."""
        with self._changed:
            ended = [version for version in self._serving if version not in versions]
            self._serving = {v: self._serving[v] for v in self._serving if v in versions}
            for version in ended:
                self._statuses[version] = VersionStatus(version, State.END)
            shown = [v for v in sorted(self._statuses) if self._statuses[v].state is State.END]
            for version in shown[:-_ENDED_VERSIONS_KEPT]:
                del self._statuses[version]
            self._changed.notify_all()
        if ended:
            memory.release()


def servable_not_found(name: str, version: int | None = None) -> ServingError:
    """The error of a request for a model or version that is not loaded."""
    wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
    return ServingError(Code.NOT_FOUND, f"Servable not found for request: {wanted}")
