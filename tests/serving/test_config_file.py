"""Files that configure the server, and following the one that lists the models."""

from __future__ import annotations

import logging
import time

import pytest

from serving import config_file, model_config, monitoring_config
from serving.config_file import ConfigFileFollower
from serving.errors import ServingError
from serving.models import Models, ModelSpec
from serving.versions import ModelVersions
from tests.serving.version_files import eventually, write


class TestRead:
    def test_a_local_file_and_a_url(self, tmp_path):
        path = tmp_path / "monitoring.config"
        path.write_text('prometheus_config { enable: true path: "/m" }', encoding="utf-8")
        assert config_file.read(str(path), monitoring_config.parse) == "/m"
        assert config_file.read(f"file://{path}", monitoring_config.parse) == "/m"

    def test_mistakes_name_the_file(self, tmp_path):
        path = tmp_path / "monitoring.config"
        path.write_text("prometheus { }")
        with pytest.raises(OSError, match=f"{path}: not MonitoringConfig: .*prometheus"):
            config_file.read(str(path), monitoring_config.parse)

    @pytest.mark.parametrize("scheme", ["", "file://"])
    def test_files_that_are_not_there(self, tmp_path, scheme):
        with pytest.raises(OSError, match="nothing.config"):
            config_file.read(f"{scheme}{tmp_path}/nothing.config", monitoring_config.parse)

    def test_a_file_that_is_no_text(self, tmp_path):
        path = tmp_path / "models.config"
        path.write_bytes(b"\xff\xfe\x00")
        with pytest.raises(OSError, match="models.config"):
            config_file.read(str(path), model_config.parse)


class TestFollow:
    @pytest.fixture
    def models(self, loader):
        def make(name, base_path, policy):
            return ModelVersions(name, base_path, loader, policy=policy, poll_seconds=0.01)

        found = Models(make)
        yield found
        found.stop()

    @pytest.fixture
    def path(self, tmp_path):
        for name in ("a", "b"):
            for version in (1, 2):
                write(tmp_path / name, version)
        return tmp_path / "models.config"

    @pytest.fixture
    def follow(self, models, path):
        """Configures the models by the file, and follows it."""
        started = []

        def start():
            models.configure(config_file.read(str(path), model_config.parse), first=True)
            follower = ConfigFileFollower(str(path), models, 0.01)
            started.append(follower)
            follower.start()

        yield start
        for follower in started:
            follower.stop()

    def config(self, path, *names, more=""):
        entries = (
            f'config {{ name: "{name}" base_path: "{path.parent}/{name}" {more} }}'
            for name in names
        )
        return f"model_config_list {{ {' '.join(entries)} }}"

    def test_changes(self, models, path, follow):
        path.write_text(self.config(path, "a"))
        follow()
        models.wait_until_available(10)
        path.write_text(self.config(path, "a", "b"))
        eventually(lambda: models.has("b"))
        path.write_text(self.config(path, "b"))
        eventually(lambda: not models.has("a"))
        path.write_text(
            self.config(path, "b", more="model_version_policy { specific { versions: 1 } }")
        )
        eventually(lambda: available(models, "b", 1))

    @pytest.mark.parametrize(
        "broken",
        [
            "model_config_list {",
            'model_config_list { config { name: "a" } }',
            'model_config_list { config { name: "z" base_path: "/no/such/place" } }',
            b"\xff",
            None,
        ],
        ids=["syntax", "meaning", "place", "bytes", "deleted"],
    )
    def test_a_broken_file_changes_nothing_and_is_complained_of_once(
        self, models, path, follow, caplog, broken
    ):
        path.write_text(self.config(path, "a"))
        follow()
        before = models.configs()
        with caplog.at_level(logging.INFO, "serving.config_file"):
            if broken is None:
                path.unlink()
            else:
                path.write_bytes(broken if isinstance(broken, bytes) else broken.encode())
            complaint = "the model config file is not followed: "
            eventually(lambda: any(complaint in r.message for r in caplog.records))
            time.sleep(0.1)
            assert sum(complaint in r.message for r in caplog.records) == 1
        assert models.configs() == before
        models.wait_until_available(10)
        path.write_text(self.config(path, "a", "b"))
        eventually(lambda: models.has("b"))

    def test_a_label_is_given_as_soon_as_its_version_is_loaded(self, models, path, follow):
        path.write_text(self.config(path, "a"))
        follow()
        models.wait_until_available(10)
        label = 'version_labels { key: "next" value: 3 }'
        path.write_text(self.config(path, "a", more=label))
        time.sleep(0.1)
        with pytest.raises(ServingError, match="Unrecognized servable version label: next"):
            models.get(ModelSpec("a", label="next"))
        write(path.parent / "a", 3)
        eventually(lambda: available(models, "a", 3))
        eventually(lambda: models.configs()[0].labels == {"next": 3})
        assert models.get(ModelSpec("a", label="next")).version == 3

    def test_nothing_is_done_while_nothing_changes(self, models, path, follow, monkeypatch):
        path.write_text(self.config(path, "a"))
        follow()
        calls = []
        monkeypatch.setattr(models, "configure", lambda configs: calls.append(configs))
        path.write_text(self.config(path, "a") + "# a comment\n")
        time.sleep(0.1)
        assert calls == []


def available(models, name, version):
    try:
        return models.get(ModelSpec(name, version))
    except ServingError:
        return None
