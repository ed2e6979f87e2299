"""Compiled pipelines, and the services that take them."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator
from typing import Any

import pytest
import yaml


def pipeline_spec(parameters: dict[str, Any] | None = None) -> dict[str, Any]:
    """A PipelineSpec with two tasks, one of them in a DAG of its own."""
    component = {"executorLabel": "run"}
    return {
        "pipelineInfo": {"name": "flowersim"},
        "schemaVersion": "2.1.0",
        "sdkVersion": "tfx-1.16.0",
        "deploymentSpec": {"executors": {"run": {"container": {"image": "image:1"}}}},
        "components": {
            "Trainer": component,
            "group": {
                "dag": {
                    "tasks": {
                        "Inner": {
                            "componentRef": {"name": "Trainer"},
                            "cachingOptions": {"enableCache": True},
                        }
                    }
                }
            },
        },
        "root": {
            "inputDefinitions": {
                "parameters": {
                    "data_folder": {"parameterType": "STRING"},
                    "epochs": {"parameterType": "NUMBER_INTEGER", "defaultValue": 20},
                    "Trainer": {
                        "parameterType": "STRING",
                        "defaultValue": json.dumps({"loss": {"lambda": 1.0}}),
                    },
                }
            },
            "dag": {
                "tasks": {
                    "Trainer": {
                        "componentRef": {"name": "Trainer"},
                        "cachingOptions": {"enableCache": True},
                    },
                    "group": {"componentRef": {"name": "group"}},
                }
            },
        },
    }


@pytest.fixture
def vertex_spec(tmp_path: pathlib.Path) -> pathlib.Path:
    """A PipelineJob in a file."""
    path = tmp_path / "pipeline.json"
    job = {
        "displayName": "flowers",
        "labels": {"tfx_version": "1-16-0"},
        "pipelineSpec": pipeline_spec(),
        "runtimeConfig": {
            "gcsOutputDirectory": "gs://bucket/root",
            "parameterValues": {"data_folder": "gs://bucket/data"},
        },
        "serviceAccount": "runner@p.iam.gserviceaccount.com",
    }
    path.write_text(json.dumps(job), "utf-8")
    return path


@pytest.fixture
def kubeflow_spec(tmp_path: pathlib.Path) -> pathlib.Path:
    """A PipelineSpec in a file, its data in a folder beside it."""
    path = tmp_path / "pipeline.yaml"
    spec = pipeline_spec()
    spec["root"]["inputDefinitions"]["parameters"]["data_folder"]["defaultValue"] = str(
        tmp_path / "data"
    )
    spec["defaultPipelineRoot"] = str(tmp_path / "root")
    path.write_text(yaml.safe_dump(spec), "utf-8")
    return path


class Pipelines:
    """PipelineService with jobs that are `running` until told otherwise."""

    def __init__(self) -> None:
        from google.cloud.aiplatform_v1 import types

        self.types = types
        self.jobs: dict[str, Any] = {}
        # What the next looks at a job show, the last one for good.
        self.looks: list[dict[str, Any]] = []
        self.refusal: Exception | None = None

    def create_pipeline_job(self, request: Any) -> Any:
        import grpc

        from tests.pipeline.vertex_server import RefusedError

        if self.refusal:
            raise self.refusal
        name = f"{request.parent}/pipelineJobs/{request.pipeline_job_id}"
        if name in self.jobs:
            raise RefusedError(grpc.StatusCode.ALREADY_EXISTS, f"{name} exists")
        job = self.types.PipelineJob(request.pipeline_job)
        job.name = name
        job.state = self.types.PipelineState.PIPELINE_STATE_PENDING
        self.jobs[name] = job
        return job

    def get_pipeline_job(self, request: Any) -> Any:
        import grpc

        from tests.pipeline.vertex_server import RefusedError

        if request.name not in self.jobs:
            raise RefusedError(grpc.StatusCode.NOT_FOUND, f"{request.name} is not found")
        job = self.jobs[request.name]
        if self.looks:
            look = self.looks[0] if len(self.looks) == 1 else self.looks.pop(0)
            if "refuse" in look:
                raise look["refuse"]
            job = self.types.PipelineJob(job)
            job.state = self.types.PipelineState[f"PIPELINE_STATE_{look['state']}"]
            job.error = {"code": 9, "message": look.get("error", "")}
            job.job_detail = {"task_details": [{"task_id": 1, "task_name": "flowersim"}]}
            for index, (task, state, error) in enumerate(look["tasks"], start=2):
                job.job_detail.task_details.append(
                    {
                        "task_id": index,
                        "parent_task_id": 1,
                        "task_name": task,
                        "state": state,
                        "start_time": f"2026-11-26T10:00:{index:02}Z",
                        "error": {"code": 2, "message": error},
                    }
                )
        return job

    def list_pipeline_jobs(self, request: Any) -> Any:
        return self.types.ListPipelineJobsResponse(pipeline_jobs=list(self.jobs.values()))

    def cancel_pipeline_job(self, request: Any) -> Any:
        from google.protobuf import empty_pb2

        self.jobs[request.name].state = self.types.PipelineState.PIPELINE_STATE_CANCELLING
        return empty_pb2.Empty()


class Schedules:
    """ScheduleService."""

    def __init__(self) -> None:
        from google.cloud.aiplatform_v1 import types

        self.types = types
        self.kept: dict[str, Any] = {}

    def create_schedule(self, request: Any) -> Any:
        schedule = self.types.Schedule(request.schedule)
        schedule.name = f"{request.parent}/schedules/{len(self.kept) + 1}"
        schedule.state = self.types.Schedule.State.ACTIVE
        schedule.next_run_time = "2026-12-01T02:00:00Z"
        self.kept[schedule.name] = schedule
        return schedule

    def list_schedules(self, request: Any) -> Any:
        notebook = self.types.Schedule(name="n", create_notebook_execution_job_request={})
        return self.types.ListSchedulesResponse(schedules=[notebook, *self.kept.values()])

    def pause_schedule(self, request: Any) -> Any:
        return self._set(request, self.types.Schedule.State.PAUSED)

    def resume_schedule(self, request: Any) -> Any:
        return self._set(request, self.types.Schedule.State.ACTIVE)

    def delete_schedule(self, request: Any) -> Any:
        from google.protobuf import empty_pb2

        from tests.pipeline.vertex_server import done

        del self.kept[request.name]
        return done(empty_pb2.Empty())

    def _set(self, request: Any, state: Any) -> Any:
        from google.protobuf import empty_pb2

        self.kept[request.name].state = state
        return empty_pb2.Empty()


class Vertex:
    """A server with both services, and what was asked of it."""

    def __init__(self, server: Any, pipelines: Pipelines, schedules: Schedules) -> None:
        self.server = server
        self.pipelines = pipelines
        self.schedules = schedules


@pytest.fixture
def vertex(google_cloud: Any) -> Iterator[Vertex]:
    """Vertex AI in this process, which all clients reach."""
    from tests.pipeline.vertex_server import vertex_server

    pipelines, schedules = Pipelines(), Schedules()
    with vertex_server(Pipeline=pipelines, Schedule=schedules) as server:
        google_cloud(server.address)
        yield Vertex(server, pipelines, schedules)


@pytest.fixture
def kubeflow(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> Iterator[Any]:
    """Kubeflow Pipelines over HTTP, and a kfp client without a person's settings."""
    import kfp

    from tests.pipeline.submission.kubeflow_server import kubeflow_server

    monkeypatch.setattr(kfp.Client, "_LOCAL_KFP_CONTEXT", str(tmp_path / "none.json"))
    for variable in ("KF_PIPELINES_ENDPOINT", "KF_PIPELINES_UI_ENDPOINT"):
        monkeypatch.delenv(variable, raising=False)
    with kubeflow_server() as server:
        yield server
