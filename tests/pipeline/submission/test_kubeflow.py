"""Runs on Kubeflow Pipelines, asked of its REST API over HTTP."""

from __future__ import annotations

import json
import pathlib
import socket
import ssl
import sys
from typing import Any

import pytest
import yaml

from pipeline.cli import main
from pipeline.submission import watch
from tests.pipeline.submission.kubeflow_server import kubeflow_server
from tests.pipeline.submission.test_vertex_tls import certificate


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "INTERVAL", 0.01)


def test_submit(kubeflow, kubeflow_spec: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    assert main(["submit", str(kubeflow_spec), "--host", f"{kubeflow.url}/"]) == 0
    (run,) = kubeflow.bodies("runs")
    spec = yaml.safe_load(kubeflow_spec.read_text("utf-8"))
    assert run["pipeline_spec"] == spec
    assert run["display_name"] == "flowersim"
    assert run["experiment_id"] == "experiments-1"
    assert kubeflow.experiments["experiments-1"]["display_name"] == "Default"
    assert run["runtime_config"]["pipeline_root"] == spec["defaultPipelineRoot"]
    values = run["runtime_config"]["parameters"]
    assert values["epochs"] == 20 and values["data_folder"].endswith("/data")
    assert capsys.readouterr().out == (
        f"submitted  runs-1\npage       {kubeflow.url}/#/runs/details/runs-1\n"
    )
    # The experiment is found the next time.
    main(["submit", str(kubeflow_spec), "--host", kubeflow.url])
    assert len(kubeflow.experiments) == 1 and len(kubeflow.runs) == 2


def test_what_is_said_wins(
    kubeflow, kubeflow_spec: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    with kubeflow_spec.open("a", encoding="utf-8") as file:
        file.write("---\nplatforms:\n  kubernetes: {}\n")
    (tmp_path / "token").write_text("abc\n", "utf-8")
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", kubeflow.url)
    arguments = ["--parameter", "epochs=5", "--no-cache", "--service-account", "runner"]
    arguments += ["--experiment", "mine", "--namespace", "team", "--pipeline-root", "gs://b/r"]
    arguments += ["--token-file", str(tmp_path / "token"), "--name", "monday"]
    assert main(["submit", str(kubeflow_spec), *arguments]) == 0
    (run,) = kubeflow.bodies("runs")
    assert (run["display_name"], run["service_account"]) == ("monday", "runner")
    assert run["runtime_config"]["parameters"]["epochs"] == 5
    assert run["runtime_config"]["pipeline_root"] == "gs://b/r"
    assert run["pipeline_spec"]["platform_spec"] == {"platforms": {"kubernetes": {}}}
    tasks = run["pipeline_spec"]["pipeline_spec"]["root"]["dag"]["tasks"]
    assert tasks["Trainer"]["cachingOptions"] == {"enableCache": False}
    (experiment,) = kubeflow.experiments.values()
    assert (experiment["display_name"], experiment["namespace"]) == ("mine", "team")
    assert {headers["authorization"] for headers in kubeflow.headers} == {"Bearer abc"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--region", "europe-west4"], "PipelineSpec, so it is for Kubeflow Pipelines, which"),
        (["--label", "a=b"], "labels and networks are Vertex AI's"),
        (["--cron", "0 3 * * 1", "--time-zone", "UTC"], "CRON_SCHEDULE_TIMEZONE"),
        (["--token-file", "nowhere"], "--token-file nowhere cannot be read"),
        (["--ca-cert", "nowhere"], "--ca-cert nowhere is no file"),
    ],
)
def test_mistakes_are_found_before_anything_is_made(
    kubeflow,
    kubeflow_spec: pathlib.Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
):
    assert main(["submit", str(kubeflow_spec), "--host", kubeflow.url, *arguments]) == 1
    assert message in capsys.readouterr().err
    assert not kubeflow.experiments and not kubeflow.runs


def test_dry_run(kubeflow, kubeflow_spec: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    assert main(["submit", str(kubeflow_spec), "--host", kubeflow.url, "--dry-run"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["run"]["runtime_config"]["parameters"]["epochs"] == 20
    assert kubeflow.asked == []


def look(state: str, *tasks: tuple[str, str], error: str = "") -> dict[str, Any]:
    details = [
        {"display_name": name, "state": of_task, "start_time": f"2026-11-26T10:00:{index:02}Z"}
        for index, (name, of_task) in enumerate([("root", "RUNNING"), *tasks])
    ]
    return {
        "state": state,
        "error": {"code": 1, "message": error},
        "run_details": {"task_details": details},
    }


def test_waiting(kubeflow, kubeflow_spec: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    kubeflow.looks = [
        look("RUNNING", ("ingest-driver", "SUCCEEDED"), ("ingest", "RUNNING")),
        look("RUNNING", ("ingest", "SUCCEEDED"), ("executor", "RUNNING"), ("train", "RUNNING")),
        look("SUCCEEDED", ("ingest", "SUCCEEDED"), ("train", "SUCCEEDED")),
    ]
    assert main(["submit", str(kubeflow_spec), "--host", kubeflow.url, "--wait"]) == 0
    lines = [line[10:] for line in capsys.readouterr().out.splitlines() if line[2:3] == ":"]
    assert lines == [
        "ingest  running",
        "whole job  running",
        "ingest  succeeded",
        "train  running",
        "train  succeeded",
        "whole job  succeeded",
    ]
    kubeflow.looks = [look("FAILED", ("train", "FAILED"), error="no memory")]
    assert main(["jobs", "wait", "runs-1", "--host", kubeflow.url]) == 1
    assert "flowersim: no memory\nflowersim: train: failed\n" in capsys.readouterr().err


def test_jobs(kubeflow, kubeflow_spec: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    main(["submit", str(kubeflow_spec), "--host", kubeflow.url])
    capsys.readouterr()
    where = ["--host", kubeflow.url]
    assert main(["jobs", "list", "--namespace", "team", *where]) == 0
    assert capsys.readouterr().out == "runs-1  pending  2026-11-26 10:00  flowersim\n"
    assert kubeflow.asked[-1][2]["namespace"] == "team"
    assert main(["jobs", "cancel", "runs-1", *where]) == 0
    assert capsys.readouterr().out == "runs-1  cancelling; asked to end\n"
    assert main(["jobs", "status", "runs-7", *where]) == 1
    assert "cannot look at run runs-7: it is not there" in capsys.readouterr().err


def test_schedules(kubeflow, kubeflow_spec: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    where = ["--host", kubeflow.url]
    for name in ("one", "two", "three"):
        arguments = ["--cron", "0 3 * * 1", "--name", name]
        assert main(["submit", str(kubeflow_spec), *where, *arguments]) == 0
    body = kubeflow.bodies("recurringruns")[0]
    # Kubeflow's cron has a field for seconds before those of others.
    assert body["trigger"] == {"cron_schedule": {"cron": "0 0 3 * * 1"}}
    assert (body["mode"], body["no_catchup"], body["max_concurrency"]) == ("ENABLE", True, "1")
    assert body["pipeline_spec"]["pipelineInfo"]["name"] == "flowersim"
    assert not kubeflow.runs
    assert main(["schedules", "pause", "recurringruns-2", *where]) == 0
    capsys.readouterr()
    assert main(["schedules", "list", *where]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "recurringruns-1  active  0 0 3 * * 1  one",
        "recurringruns-2  paused  0 0 3 * * 1  two",
        "recurringruns-3  active  0 0 3 * * 1  three",
    ]
    assert main(["schedules", "resume", "recurringruns-2", *where]) == 0
    assert kubeflow.recurring["recurringruns-2"]["status"] == "ENABLED"
    assert main(["schedules", "delete", "recurringruns-2", *where]) == 0
    assert list(kubeflow.recurring) == ["recurringruns-1", "recurringruns-3"]


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        ((401, "<html>"), "wants credentials (401 Unauthorized): give --token-file"),
        ((403, '{"message": "User a may not"}'), "(403 User a may not): the account needs"),
        ((404, "nothing"), "or http://localhost:"),
        ((500, '{"error": "database"}'), "answers 500: database"),
        ((200, "<html>a page</html>"), "is no Kubeflow Pipelines 2 API"),
    ],
)
@pytest.mark.parametrize("healthy", [True, False])
def test_refused(
    kubeflow,
    kubeflow_spec: pathlib.Path,
    refusal: tuple[int, str],
    message: str,
    healthy: bool,
    capsys: pytest.CaptureFixture[str],
):
    kubeflow.refusal = refusal
    kubeflow.healthy = healthy
    assert main(["submit", str(kubeflow_spec), "--host", kubeflow.url]) == 1
    said = capsys.readouterr().err
    assert message in said and said.startswith("flowersim: cannot ") and said.count("\n") == 1


def test_nobody_there(kubeflow, kubeflow_spec, capsys: pytest.CaptureFixture[str]):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert main(["jobs", "list", "--host", f"http://localhost:{port}"]) == 1
    assert f"nothing answers at http://localhost:{port}" in capsys.readouterr().err


def test_tls(kubeflow, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    private, pem = certificate(tmp_path)
    both = tmp_path / "both.pem"
    both.write_bytes(private + pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    with kubeflow_server(context) as server:
        # Without a scheme it is https.
        listing = ["jobs", "list", "--host", server.url.removeprefix("https://")]
        assert main(listing) == 1
        assert "is not trusted: give its authority's with --ca-cert" in capsys.readouterr().err
        assert main([*listing, "--ca-cert", str(tmp_path / "ca.pem")]) == 0
    assert main(["jobs", "list", "--host", kubeflow.url.replace("http:", "https:")]) == 1
    assert "does it speak plain http?" in capsys.readouterr().err


def test_without_the_library(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setitem(sys.modules, "kfp", None)
    assert main(["jobs", "list", "--host", "http://localhost:1"]) == 1
    assert "pip install 'kfp>=2,<3'" in capsys.readouterr().err


def test_a_token_that_the_cluster_mounts(
    kubeflow, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "mounted").write_text("of-the-pod", "utf-8")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "mounted"))
    assert main(["jobs", "list", "--host", kubeflow.url]) == 0
    assert kubeflow.headers[-1]["authorization"] == "Bearer of-the-pod"
