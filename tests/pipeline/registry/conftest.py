"""A Model Registry and endpoints that keep what they are told, and pushed versions."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

PARENT = "projects/my-project/locations/europe-west4"


class Models:
    """ModelService: versions of models by resource name."""

    def __init__(self) -> None:
        from google.cloud.aiplatform_v1 import types

        self.types = types
        self.versions: dict[str, list[Any]] = {}

    def upload_model(self, request: Any) -> Any:
        from tests.pipeline.vertex_server import done

        name = request.parent_model or f"{request.parent}/models/{len(self.versions) + 1}"
        versions = self.versions.setdefault(name, [])
        model = self.types.Model(request.model)
        model.name, model.version_id = name, str(len(versions) + 1)
        versions.append(model)
        return done(self.types.UploadModelResponse(model=name, model_version_id=model.version_id))

    def list_models(self, request: Any) -> Any:
        key, _, value = request.filter.partition("=")
        assert key == "display_name"
        found = [
            self.types.Model(name=f"{name}@{versions[-1].version_id}")
            for name, versions in self.versions.items()
            if versions[-1].display_name == value.strip('"')
        ]
        return self.types.ListModelsResponse(models=found)

    def list_model_versions(self, request: Any) -> Any:
        return self.types.ListModelVersionsResponse(models=self.versions[request.name])


class Endpoints:
    """EndpointService, which checks what Vertex AI checks of the traffic."""

    def __init__(self) -> None:
        from google.cloud.aiplatform_v1 import types

        self.types = types
        self.kept: dict[str, Any] = {}
        self.fails: str | None = None
        self.slow: dict[str, Any] = {}
        # Every division of the traffic there was, of versions that were deployed at that time.
        self.history: list[dict[str, int]] = []
        self.ids = iter(range(101, 999))

    def create_endpoint(self, request: Any) -> Any:
        from tests.pipeline.vertex_server import done

        endpoint = self.types.Endpoint(request.endpoint)
        endpoint.name = f"{request.parent}/endpoints/{len(self.kept) + 1}"
        endpoint.etag = "1"
        self.kept[endpoint.name] = endpoint
        return done(endpoint)

    def list_endpoints(self, request: Any) -> Any:
        value = request.filter.partition("=")[2].strip('"')
        found = [one for one in self.kept.values() if one.display_name == value]
        return self.types.ListEndpointsResponse(endpoints=found)

    def get_endpoint(self, request: Any) -> Any:
        return self.kept[request.name]

    def deploy_model(self, request: Any) -> Any:
        from tests.pipeline.vertex_server import done, failed

        if self.fails:
            return failed(self.fails)
        endpoint = self.kept[request.endpoint]
        model = self.types.DeployedModel(request.deployed_model)
        model.id = str(next(self.ids))
        model.model, _, model.model_version_id = model.model.partition("@")
        model.create_time = f"2026-11-26T10:00:{len(endpoint.deployed_models):02}Z"
        endpoint.deployed_models.append(model)
        split = {(model.id if key == "0" else key): v for key, v in request.traffic_split.items()}
        if split:
            self._divide(endpoint, split)
        ended = done(self.types.DeployModelResponse(deployed_model=model))
        if self.slow is not None and "next" in self.slow:
            from google.longrunning import operations_pb2

            name = self.slow.pop("next")
            self.slow[name] = ended
            return operations_pb2.Operation(name=name, done=False)
        return ended

    def undeploy_model(self, request: Any) -> Any:
        import grpc

        from tests.pipeline.vertex_server import RefusedError, done

        endpoint = self.kept[request.endpoint]
        if endpoint.traffic_split.get(request.deployed_model_id):
            raise RefusedError(grpc.StatusCode.FAILED_PRECONDITION, "it has traffic")
        kept = [m for m in endpoint.deployed_models if m.id != request.deployed_model_id]
        endpoint.deployed_models = kept
        return done(self.types.UndeployModelResponse())

    def update_endpoint(self, request: Any) -> Any:
        import grpc

        from tests.pipeline.vertex_server import RefusedError

        assert sorted(request.update_mask.paths) == ["labels", "traffic_split"]
        endpoint = self.kept[request.endpoint.name]
        if request.endpoint.etag != endpoint.etag:
            raise RefusedError(grpc.StatusCode.ABORTED, "etag does not match")
        endpoint.labels = dict(request.endpoint.labels)
        self._divide(endpoint, dict(request.endpoint.traffic_split))
        return endpoint

    def _divide(self, endpoint: Any, split: dict[str, int]) -> None:
        assert sum(split.values()) == 100
        assert split.keys() <= {model.id for model in endpoint.deployed_models}
        endpoint.traffic_split = split
        endpoint.etag = str(int(endpoint.etag) + 1)
        self.history.append(split)


class Registry:
    """A server with both services."""

    def __init__(self, server: Any, models: Models, endpoints: Endpoints) -> None:
        self.server = server
        self.models = models
        self.endpoints = endpoints

    @property
    def endpoint(self) -> Any:
        (one,) = self.endpoints.kept.values()
        return one

    def traffic(self) -> dict[str, int]:
        """Per cent by the name that a version was deployed under."""
        names = {model.id: model.display_name for model in self.endpoint.deployed_models}
        return {names[key]: part for key, part in self.endpoint.traffic_split.items() if part}


@pytest.fixture
def registry(google_cloud: Any) -> Iterator[Registry]:
    """Vertex AI in this process, which all clients reach."""
    from tests.pipeline.vertex_server import vertex_server

    models, endpoints = Models(), Endpoints()
    services = {"Model": models, "Endpoint": endpoints, "operations": endpoints.slow}
    with vertex_server(**services) as server:
        google_cloud(server.address)
        yield Registry(server, models, endpoints)


@pytest.fixture
def push(tmp_path: pathlib.Path) -> Callable[..., pathlib.Path]:
    """Gives `push(version)`: the folder of a pushed version, saved by TensorFlow 2.16.2."""
    from tensorflow.core.protobuf import saved_model_pb2

    def make(version: int, tensorflow: str = "2.16.2") -> pathlib.Path:
        folder = tmp_path / "serving" / "flowers" / str(version)
        (folder / "variables").mkdir(parents=True)
        (folder / "variables" / "data").write_bytes(b"weights %d" % version)
        model = saved_model_pb2.SavedModel(saved_model_schema_version=1)
        model.meta_graphs.add().meta_info_def.tensorflow_version = tensorflow
        (folder / "saved_model.pb").write_bytes(model.SerializeToString())
        return folder

    return make


@pytest.fixture
def bucket(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A folder that staging to `gs://bucket` really copies to."""
    from pipeline.registry import pushed_version

    folder = tmp_path / "bucket"
    stage = pushed_version.stage

    def staged(version: Any, staging: str, name: str) -> str:
        local = stage(version, staging.replace("gs://bucket", str(folder)), name)
        return local.replace(str(folder), "gs://bucket")

    monkeypatch.setattr(pushed_version, "stage", staged)
    return folder
