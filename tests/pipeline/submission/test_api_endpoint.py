"""Where Vertex AI is reached, for the commands about jobs and schedules."""

from __future__ import annotations

import pathlib

import pytest

from pipeline.cli import main
from pipeline.submission import watch
from pipeline.vertex_ai import clients

PLACE = ["--project", "my-project", "--region", "europe-west4"]
PRIVATE = "europe-west4-aiplatform-psc.p.googleapis.com"


@pytest.mark.parametrize(
    "words",
    [
        ["submit", "SPEC"],
        ["jobs", "list"],
        ["jobs", "status", "JOB"],
        ["jobs", "wait", "JOB"],
        ["jobs", "cancel", "JOB"],
        ["schedules", "list"],
        ["schedules", "pause", "1"],
        ["schedules", "resume", "1"],
        ["schedules", "delete", "1"],
    ],
    ids=" ".join,
)
def test_vertex_ai_is_reached_where_api_endpoint_says(
    vertex, vertex_spec: pathlib.Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
):
    monkeypatch.setattr(watch, "INTERVAL", 0.01)
    assert main(["submit", str(vertex_spec), *PLACE]) == 0
    assert main(["submit", str(vertex_spec), *PLACE, "--cron", "0 3 * * 1"]) == 0
    (job,) = vertex.pipelines.jobs
    if words[0] == "submit":
        vertex.pipelines.jobs.clear()  # names have the second they were made in
    vertex.pipelines.looks = [{"state": "SUCCEEDED", "tasks": []}]
    hosts = []
    open_channel = clients.open_channel

    def opened(transport, host, credentials):
        hosts.append(host)
        return open_channel(transport, host, credentials)

    monkeypatch.setattr(clients, "open_channel", opened)
    said = {"SPEC": str(vertex_spec), "JOB": job}
    command = [said.get(word, word) for word in words]
    assert main([*command, *PLACE, "--api-endpoint", PRIVATE]) == 0
    assert {*hosts} == {PRIVATE}
