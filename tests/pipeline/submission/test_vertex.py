"""Jobs on Vertex AI, asked of a server that speaks its real messages."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import pytest
from google.protobuf import json_format

from pipeline.cli import main
from pipeline.submission import watch

PLACE = ["--project", "my-project", "--region", "europe-west4"]
PARENT = "projects/my-project/locations/europe-west4"


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "INTERVAL", 0.01)


def spec_of(job: Any) -> dict[str, Any]:
    return json_format.MessageToDict(type(job).pb(job))["pipelineSpec"]


def test_submit(vertex, vertex_spec: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    assert main(["submit", str(vertex_spec), *PLACE]) == 0
    (request,) = vertex.server.requests("CreatePipelineJob")
    assert request.parent == PARENT
    job = request.pipeline_job
    assert job.display_name == "flowers"
    assert dict(job.labels) == {"tfx_version": "1-16-0"}
    assert job.service_account == "runner@p.iam.gserviceaccount.com"
    assert job.runtime_config.gcs_output_directory == "gs://bucket/root"
    assert dict(job.runtime_config.parameter_values) == {
        "data_folder": "gs://bucket/data",
        "epochs": 20,
        "Trainer": '{"loss": {"lambda": 1.0}}',
    }
    assert spec_of(job) == json.loads(vertex_spec.read_text("utf-8"))["pipelineSpec"]
    printed = capsys.readouterr().out
    assert f"submitted  {PARENT}/pipelineJobs/{request.pipeline_job_id}\n" in printed
    assert (
        "https://console.cloud.google.com/vertex-ai/locations/europe-west4/pipelines/runs/"
        f"{request.pipeline_job_id}?project=my-project\n"
    ) in printed


def test_what_is_said_wins(vertex, vertex_spec: pathlib.Path):
    arguments = ["--parameter", "epochs=5", "--parameter", "Trainer.loss.lambda=0.5", "--no-cache"]
    arguments += ["--pipeline-root", "gs://other/root", "--service-account", "me@x"]
    arguments += ["--network", "projects/1/global/networks/n", "--label", "team=a-1"]
    assert main(["submit", str(vertex_spec), *PLACE, "--name", "monday", *arguments]) == 0
    ((_, _, request),) = vertex.server.asked
    job = request.pipeline_job
    values = dict(job.runtime_config.parameter_values)
    assert values["epochs"] == 5
    assert json.loads(values["Trainer"]) == {"loss": {"lambda": 0.5}}
    assert job.runtime_config.gcs_output_directory == "gs://other/root"
    assert (job.display_name, job.service_account) == ("monday", "me@x")
    assert job.network == "projects/1/global/networks/n"
    assert dict(job.labels) == {"tfx_version": "1-16-0", "team": "a-1"}
    spec = spec_of(job)
    inner = spec["components"]["group"]["dag"]["tasks"]["Inner"]
    for task in (*spec["root"]["dag"]["tasks"].values(), inner):
        assert task["cachingOptions"] == {"enableCache": False}


def test_project_of_the_credentials_and_region_of_the_environment(
    vertex, vertex_spec: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("GOOGLE_CLOUD_REGION", "us-central1")
    assert main(["submit", str(vertex_spec)]) == 0
    ((_, _, request),) = vertex.server.asked
    assert request.parent == "projects/key-project/locations/us-central1"


def test_dry_run_sends_nothing(
    vertex, vertex_spec: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    assert main(["submit", str(vertex_spec), *PLACE, "--parameter", "epochs=3", "--dry-run"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["parent"] == PARENT
    assert shown["pipelineJob"]["runtimeConfig"]["parameterValues"]["epochs"] == 3
    assert vertex.server.asked == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--parameter", "epoch=3"], "epoch, and "),
        (["--parameter", "epochs=many"], "epochs is a whole number"),
        (["--label", "team"], "not of the form KEY=VALUE"),
        (["--label", "Team=a"], "label Team=a"),
        (["--host", "http://x"], "PipelineJob, so it is for Vertex AI, which knows no --host"),
        (["--experiment", "x"], "--experiment is Kubeflow's"),
        (["--pipeline-root", "/local"], "the pipeline root is /local"),
        (["--region", "europe-west4-a"], "europe-west4-a is no region"),
        (["--project", "My Project"], "My Project is no id"),
        (["--time-zone", "UTC"], "give --cron"),
        (["--cron", "0 3 * * 1", "--if-new-data"], "a schedule submits each time"),
    ],
)
def test_mistakes_are_found_before_any_call(
    vertex,
    vertex_spec: pathlib.Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
):
    assert main(["submit", str(vertex_spec), *PLACE, *arguments]) == 1
    assert message in capsys.readouterr().err
    assert vertex.server.asked == []


def test_waiting_tells_what_changes(
    vertex, vertex_spec: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    vertex.pipelines.looks = [
        {"state": "RUNNING", "tasks": [("Ingest", "RUNNING", "")]},
        {"state": "RUNNING", "tasks": [("Ingest", "SUCCEEDED", ""), ("Train", "RUNNING", "")]},
        {"state": "RUNNING", "tasks": [("Ingest", "SUCCEEDED", ""), ("Train", "RUNNING", "")]},
        {"state": "SUCCEEDED", "tasks": [("Ingest", "SUCCEEDED", ""), ("Train", "SKIPPED", "")]},
    ]
    assert main(["submit", str(vertex_spec), *PLACE, "--wait"]) == 0
    lines = [line[10:] for line in capsys.readouterr().out.splitlines() if line[2:3] == ":"]
    assert lines == [
        "Ingest  running",
        "whole job  running",
        "Ingest  succeeded",
        "Train  running",
        "Train  skipped",
        "whole job  succeeded",
    ]


def test_a_failed_job_is_explained(
    vertex, vertex_spec: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    vertex.pipelines.looks = [
        {"state": "FAILED", "error": "2 tasks failed", "tasks": [("Train", "FAILED", "no memory")]}
    ]
    assert main(["submit", str(vertex_spec), *PLACE, "--wait"]) == 1
    complaints = capsys.readouterr().err
    assert "2 tasks failed\n" in complaints and "Train: no memory\n" in complaints
    assert "has failed; logs: https://console.cloud.google.com/" in complaints


def test_a_short_silence_does_not_end_the_wait(
    vertex, vertex_spec: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    import grpc

    from tests.pipeline.vertex_server import RefusedError

    silence = {"refuse": RefusedError(grpc.StatusCode.UNAVAILABLE, "connection reset")}
    vertex.pipelines.looks = [silence, silence, {"state": "SUCCEEDED", "tasks": []}]
    assert main(["submit", str(vertex_spec), *PLACE, "--wait"]) == 0
    assert capsys.readouterr().out.count("no answer, asking again") == 1


def test_interrupted_while_waiting(
    vertex,
    vertex_spec: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    assert main(["submit", str(vertex_spec), *PLACE, "--wait"]) == 130
    (name,) = vertex.pipelines.jobs
    said = capsys.readouterr().err
    assert f"flowersim jobs wait {name}\n" in said and f"flowersim jobs cancel {name}\n" in said
    assert vertex.server.requests("CancelPipelineJob") == []


def test_interrupted_while_submitting(
    vertex,
    vertex_spec: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    from pipeline.submission.vertex import Vertex

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Vertex, "submit", interrupt)
    assert main(["submit", str(vertex_spec), *PLACE]) == 130
    said = capsys.readouterr().err
    assert "flowersim jobs list says" in said and "goes on from here" not in said


def test_jobs(vertex, vertex_spec: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    main(["submit", str(vertex_spec), *PLACE])
    (name,) = vertex.pipelines.jobs
    capsys.readouterr()
    assert main(["jobs", "list", *PLACE, "--limit", "3"]) == 0
    assert capsys.readouterr().out.startswith(f"{name}  pending  ")
    (listing,) = vertex.server.requests("ListPipelineJobs")
    assert (listing.page_size, listing.order_by) == (3, "create_time desc")

    # A full name says where the job is.
    vertex.pipelines.looks = [{"state": "RUNNING", "tasks": [("Train", "RUNNING", "")]}]
    assert main(["jobs", "status", name]) == 0
    printed = capsys.readouterr().out
    assert f"{name}  running\n" in printed and "Train" in printed
    vertex.pipelines.looks = []
    assert main(["jobs", "cancel", name.rpartition("/")[2], *PLACE]) == 0
    assert "cancelling" in capsys.readouterr().out


def test_a_job_that_is_not_there(vertex, capsys: pytest.CaptureFixture[str]):
    assert main(["jobs", "status", "gone", *PLACE]) == 1
    said = capsys.readouterr().err
    assert "cannot look at job gone" in said and "the project and the region" in said


def test_which_platform_must_be_said(
    google_cloud: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.delenv("KF_PIPELINES_ENDPOINT", raising=False)
    assert main(["jobs", "list"]) == 1
    assert "on which platform?" in capsys.readouterr().err


def test_schedules(vertex, vertex_spec: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    arguments = ["--cron", " 0  3 * * MON", "--time-zone", "Europe/Berlin", "--max-concurrent", "2"]
    assert main(["submit", str(vertex_spec), *PLACE, "--name", "weekly", *arguments]) == 0
    (request,) = vertex.server.requests("CreateSchedule")
    schedule = request.schedule
    assert schedule.cron == "TZ=Europe/Berlin 0 3 * * MON"
    assert (schedule.display_name, schedule.max_concurrent_run_count) == ("weekly", 2)
    inner = schedule.create_pipeline_job_request
    assert inner.parent == PARENT and inner.pipeline_job_id == ""
    assert inner.pipeline_job.runtime_config.gcs_output_directory == "gs://bucket/root"
    assert f"scheduled  {PARENT}/schedules/1\n" in capsys.readouterr().out

    def listed() -> str:
        main(["schedules", "list", *PLACE])
        return capsys.readouterr().out

    line = f"{PARENT}/schedules/1  {{}}  TZ=Europe/Berlin 0 3 * * MON  next 2026-12-01 02:00  "
    assert listed() == line.format("active") + "weekly\n"
    assert main(["schedules", "pause", "1", *PLACE]) == 0
    assert "  paused  " in listed()
    assert main(["schedules", "resume", f"{PARENT}/schedules/1"]) == 0
    assert "  active  " in listed()
    assert not vertex.server.requests("ResumeSchedule")[0].catch_up
    assert main(["schedules", "delete", "1", *PLACE]) == 0
    assert capsys.readouterr().out == "1  deleted\n"
    assert listed() == ""
    assert vertex.server.requests("CreatePipelineJob") == []


@pytest.mark.parametrize("cron", ["0 3 * *", "0 3 31 2 *"])
def test_a_wrong_schedule_is_not_sent(
    vertex, vertex_spec: pathlib.Path, cron: str, capsys: pytest.CaptureFixture[str]
):
    assert main(["submit", str(vertex_spec), *PLACE, "--cron", cron]) == 1
    assert f"cron {cron!r}" in capsys.readouterr().err
    assert (
        main(["submit", str(vertex_spec), *PLACE, "--cron", "* * * * *", "--time-zone", "M"]) == 1
    )
    assert "M is no time zone" in capsys.readouterr().err
    assert vertex.server.asked == []
