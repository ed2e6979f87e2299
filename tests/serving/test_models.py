"""The set of models: changed whole or not at all, and what a request's names and labels mean."""

from __future__ import annotations

import pathlib
import threading

import pytest

from serving.errors import Code, ServingError
from serving.model_config import ModelConfig, RequestLogging
from serving.models import Models, ModelSpec
from serving.version_policy import VersionPolicy
from serving.versions import ModelVersions
from tests.serving.version_files import Loader, eventually, write

ALL = VersionPolicy("all")


class Made:
    """Makes the versions of models, and remembers them."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader
        self.made: list[ModelVersions] = []

    def __call__(self, name: str, base_path: str, policy: VersionPolicy) -> ModelVersions:
        versions = ModelVersions(
            name,
            base_path,
            self.loader,
            policy=policy,
            poll_seconds=0.01,
            retry_seconds=0.0,
            max_load_retries=0,
        )
        self.made.append(versions)
        return versions


@pytest.fixture
def made(loader):
    return Made(loader)


@pytest.fixture
def models(made):
    found = Models(made)
    yield found
    made.loader.go_on.set()
    found.stop()


@pytest.fixture
def bases(tmp_path):
    """Base paths a, b and c, each with versions 1 and 2."""
    for name in "abc":
        for version in (1, 2):
            write(tmp_path / name, version, f"{name}{version}")
    return tmp_path


def config(bases: pathlib.Path, name: str, **more) -> ModelConfig:
    return ModelConfig(name, str(bases / name), **more)


def configure(models: Models, *configs: ModelConfig, **options) -> None:
    models.configure(configs, **options)
    models.wait_until_available(10)


def content(models: Models, name: str, **spec) -> str:
    return models.get(ModelSpec(name, **spec)).content  # type: ignore[attr-defined]


def error_of(models: Models, name: str, **spec) -> tuple[Code, str]:
    with pytest.raises(ServingError) as caught:
        models.get(ModelSpec(name, **spec))
    return caught.value.code, caught.value.message


class TestRequests:
    def test_names_versions_and_labels(self, models, bases):
        labels = {"stable": 1, "canary": 2}
        configure(
            models, config(bases, "a"), config(bases, "b", policy=ALL, labels=labels), first=True
        )
        eventually(lambda: has(models, "b", 1))
        assert content(models, "a") == "a2"
        assert content(models, "b", version=1) == "b1"
        assert content(models, "b", label="stable") == "b1"
        assert content(models, "b", label="canary") == "b2"

    def test_what_is_not_there(self, models, bases):
        configure(models, config(bases, "a", labels={"old": 1}), first=True)
        latest = "Servable not found for request: Latest(z)"
        assert error_of(models, "z") == (Code.NOT_FOUND, latest)
        specific = "Servable not found for request: Specific(a, 1)"
        assert error_of(models, "a", version=1) == (Code.NOT_FOUND, specific)
        assert error_of(models, "a", label="old") == (Code.NOT_FOUND, specific)
        unknown = "Unrecognized servable version label: new"
        assert error_of(models, "a", label="new") == (Code.INVALID_ARGUMENT, unknown)
        assert error_of(models, "z", label="new") == (Code.INVALID_ARGUMENT, unknown)
        assert error_of(models, "") == (
            Code.INVALID_ARGUMENT,
            "ModelSpec has no name specified.",
        )

    def test_statuses(self, models, bases):
        configure(models, config(bases, "a", policy=ALL), first=True)
        eventually(lambda: len(models.statuses("a")) == 2)
        assert [status.version for status in models.statuses("a")] == [2, 1]
        assert [status.version for status in models.statuses("a", 1)] == [1]
        for name, version, message in (
            ("z", None, "Could not find any versions of model z"),
            ("a", 9, "Could not find version 9 of model a"),
        ):
            with pytest.raises(ServingError, match=message):
                models.statuses(name, version)

    def test_logging(self, models, bases):
        logging = RequestLogging("/logs/a", 1.0)
        configure(models, config(bases, "a", logging=logging), config(bases, "b"), first=True)
        assert models.logging_of("a") == logging
        assert models.logging_of("b") is None and models.logging_of("z") is None


class TestChanges:
    def test_models_come_and_go(self, models, made, bases):
        configure(models, config(bases, "a"), config(bases, "b"), first=True)
        kept = models.get(ModelSpec("b"))
        configure(models, config(bases, "b"), config(bases, "c"))
        assert [c.name for c in models.configs()] == ["b", "c"]
        assert error_of(models, "a")[0] is Code.NOT_FOUND
        assert not models.has("a") and models.has("c")
        assert models.get(ModelSpec("b")) is kept  # not loaded anew
        assert content(models, "c") == "c2"
        assert not made.made[0].is_available()  # let go of

    def test_policy_labels_and_place_of_a_model_change(self, models, bases):
        configure(models, config(bases, "a"), first=True)
        models.configure([config(bases, "a", policy=ALL)])
        eventually(lambda: has(models, "a", 1))
        models.configure([config(bases, "a", policy=ALL, labels={"old": 1})])
        assert content(models, "a", label="old") == "a1"
        models.configure([config(bases, "a", policy=ALL, labels={"old": 2})])
        assert content(models, "a", label="old") == "a2"
        write(bases / "other", 3, "other3")
        models.configure([ModelConfig("a", str(bases / "other"))])
        eventually(lambda: has(models, "a", 3))
        assert content(models, "a") == "other3"

    def test_no_models_at_all(self, models, bases):
        configure(models, config(bases, "a"), first=True)
        models.configure([])
        assert models.configs() == [] and models.unready() == []

    @pytest.mark.parametrize(
        ("change", "kind", "message"),
        [
            (
                lambda bases: [config(bases, "c"), config(bases, "c")],
                ServingError,
                "Illegal to list model c multiple times in config list",
            ),
            (
                lambda bases: [config(bases, "c"), config(bases, "nowhere")],
                OSError,
                "nowhere does not exist",
            ),
            (
                lambda bases: [config(bases, "c"), ModelConfig("a", str(bases / "nowhere"))],
                OSError,
                "nowhere does not exist",
            ),
            (
                lambda bases: [config(bases, "c"), config(bases, "a", labels={"x": 1})],
                ServingError,
                "Request to assign label to version 1 of model a, which is not currently",
            ),
            (
                lambda bases: [config(bases, "a"), config(bases, "c", labels={"x": 2})],
                ServingError,
                "Request to assign label to version 2 of model c, which is not currently",
            ),
        ],
    )
    def test_a_change_that_is_refused_changes_nothing(
        self, models, made, bases, change, kind, message
    ):
        configure(models, config(bases, "a", labels={"new": 2}), config(bases, "b"), first=True)
        before = models.configs()
        threads = set(threading.enumerate())
        with pytest.raises(kind, match=message):
            models.configure(change(bases))
        assert models.configs() == before
        assert content(models, "a", label="new") == "a2" and content(models, "b") == "b2"
        assert not models.has("c")
        assert set(threading.enumerate()) == threads

    def test_a_model_that_cannot_be_started_stops_those_before_it(self, made, bases):
        def make(name, base_path, policy):
            versions = made(name, base_path, policy)
            if name == "c":  # as if its folder were deleted at this moment
                versions.base_path = str(bases / "gone")
            return versions

        models = Models(make)
        configure(models, config(bases, "a"), first=True)
        threads = set(threading.enumerate())
        with pytest.raises(OSError, match="gone"):
            models.configure(
                [config(bases, "a", policy=ALL), config(bases, "b"), config(bases, "c")]
            )
        assert [(c.name, c.policy) for c in models.configs()] == [("a", VersionPolicy())]
        assert set(threading.enumerate()) == threads
        models.stop()

    def test_models_with_the_same_place_do_not_disturb_each_other(self, models, bases):
        path = str(bases / "a")
        policy = VersionPolicy("specific", versions=frozenset({1}))
        configure(models, ModelConfig("x", path), ModelConfig("y", path, policy), first=True)
        assert content(models, "x") == "a2" and content(models, "y") == "a1"


class TestLabels:
    def test_at_the_start_all_are_taken(self, models, bases):
        configure(models, config(bases, "a", labels={"later": 7}), first=True)
        assert error_of(models, "a", label="later")[0] is Code.NOT_FOUND
        write(bases / "a", 7, "a7")
        eventually(lambda: has(models, "a", 7))
        assert content(models, "a", label="later") == "a7"

    def test_one_that_stays_as_it_is_is_taken(self, models, bases):
        configure(models, config(bases, "a", labels={"later": 7}), first=True)
        models.configure([config(bases, "a", labels={"later": 7, "new": 2})])
        assert content(models, "a", label="new") == "a2"

    def test_new_ones_of_versions_that_are_not_loaded_need_permission(self, made, bases):
        models = Models(made, unavailable_labels=True)
        configure(models, config(bases, "a"), first=True)
        models.configure([config(bases, "a", labels={"x": 9}), config(bases, "b", labels={"y": 9})])
        assert error_of(models, "a", label="x")[0] is Code.NOT_FOUND
        models.stop()

    def test_with_it_too_one_in_use_is_not_moved_to_a_version_that_is_not_loaded(self, made, bases):
        models = Models(made, unavailable_labels=True)
        configure(models, config(bases, "a", policy=ALL, labels={"x": 2}), first=True)
        eventually(lambda: has(models, "a", 1))
        models.configure([config(bases, "a", policy=ALL, labels={"x": 1})])
        with pytest.raises(ServingError, match="version 9 of model a, which is not currently"):
            models.configure([config(bases, "a", policy=ALL, labels={"x": 9})])
        assert content(models, "a", label="x") == "a1"
        models.stop()


class TestReadiness:
    def test_until_every_model_has_a_version(self, models, bases):
        (bases / "empty").mkdir()
        models.configure([config(bases, "a"), config(bases, "empty")], first=True)
        eventually(lambda: models.unready() == ["empty"])
        assert models.is_settled("a") and not models.is_settled("empty")
        assert models.is_settled("nope")
        with pytest.raises(ServingError, match="no version of model empty") as caught:
            models.wait_until_available(0.05)
        assert caught.value.code is Code.DEADLINE_EXCEEDED
        write(bases / "empty", 1)
        models.wait_until_available(10)
        assert models.unready() == []

    def test_one_that_cannot_be_loaded_is_settled_and_not_ready(self, models, bases):
        write(bases / "bad", 1, "broken")
        models.configure([config(bases, "bad")], first=True)
        eventually(lambda: models.is_settled("bad"))
        assert models.unready() == ["bad"]
        with pytest.raises(ServingError, match="version 1 is broken"):
            models.wait_until_available(10)

    def test_after_a_stop_there_are_none(self, models, bases):
        configure(models, config(bases, "a"), first=True)
        models.stop()
        assert error_of(models, "a")[0] is Code.NOT_FOUND
        assert models.configs() == []


def has(models: Models, name: str, version: int) -> bool:
    try:
        models.get(ModelSpec(name, version))
    except ServingError:
        return False
    return True
