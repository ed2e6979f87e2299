"""What is reported of a run, as each platform says how it ended, and a real HTTP hook."""

from __future__ import annotations

import http.server
import json
import pathlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf import json_format, struct_pb2
from kfp.pipeline_spec import pipeline_spec_pb2

from components.outcome_report.component import Executor
from components.outcome_report.report import read_status

JOB = "projects/1/locations/europe-west4/pipelineJobs/flowersim-20260101"


def _status(state: str, message: str = "") -> str:
    """As Vertex AI writes it: the JSON form of the official proto."""
    status = pipeline_spec_pb2.PipelineTaskFinalStatus(
        state=state, pipeline_job_resource_name=JOB, pipeline_task_name="tfx-dag"
    )
    if message:
        status.error.code = 9
        status.error.message = message
    return json_format.MessageToJson(status)


@pytest.fixture
def serving(tmp_path: pathlib.Path) -> pathlib.Path:
    for version in ("3", "20"):
        folder = tmp_path / "serving" / version
        folder.mkdir(parents=True)
        (folder / "saved_model.pb").write_bytes(b"")
    return tmp_path / "serving"


def _report(tmp_path: pathlib.Path, status: Any, serving: pathlib.Path, **more: str) -> Any:
    folder = tmp_path / "outcomes"
    properties = {"final_status": status, "serving": str(serving), "folder": str(folder), **more}
    Executor().Do({}, {}, properties)
    (path,) = folder.iterdir()
    assert path.name.endswith("flowersim-20260101.json")
    return json.loads(path.read_text("utf-8"))


def test_a_success(tmp_path: pathlib.Path, serving: pathlib.Path):
    report = _report(tmp_path, _status("SUCCEEDED"), serving)
    assert report["state"] == "SUCCEEDED"
    assert report["error"] is None
    assert report["served"] == str(serving / "20")
    assert report["job"] == JOB


def test_a_failure_before_anything_was_served(tmp_path: pathlib.Path):
    report = _report(tmp_path, _status("FAILED", "Trainer ran out of memory"), tmp_path / "none")
    assert report["state"] == "FAILED"
    assert report["error"] == "Trainer ran out of memory"
    assert report["served"] is None


def test_kubeflow_gives_a_struct_with_its_own_states(tmp_path: pathlib.Path, serving: pathlib.Path):
    status = struct_pb2.Struct()
    status.update({"state": "COMPLETE", "pipelineJobResourceName": JOB, "error": {}})
    assert _report(tmp_path, status, serving)["state"] == "SUCCEEDED"


def test_what_is_no_status_is_refused():
    with pytest.raises(ValueError, match="no JSON object"):
        read_status("[]")


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server that keeps what is posted to it: its URL, and that."""
    kept: list[dict[str, Any]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # noqa: N802
            kept.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", kept
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_it_is_posted(
    tmp_path: pathlib.Path, serving: pathlib.Path, hook: tuple[str, list[dict[str, Any]]]
):
    url, kept = hook
    report = _report(tmp_path, _status("FAILED", "no disk"), serving, notify_url=url)
    (posted,) = kept
    assert posted.pop("text") == f"{JOB}: FAILED: no disk"
    assert posted == report


def test_a_hook_that_is_not_there_costs_no_report(tmp_path: pathlib.Path, serving: pathlib.Path):
    report = _report(tmp_path, _status("SUCCEEDED"), serving, notify_url="http://127.0.0.1:1/hook")
    assert report["state"] == "SUCCEEDED"
