"""What is said when Google Cloud refuses: the error as it comes over the wire, or from its library.

The texts of refusals are those that Vertex AI is known to send.
"""

from __future__ import annotations

import pathlib
import sys
from typing import Any

import grpc
import pytest

from pipeline.cli import main
from pipeline.vertex_ai.errors import VertexUnreachableError, explained
from tests.pipeline.google_account import sign_in_server, write_key
from tests.pipeline.vertex_server import RefusedError

PLACE = ["--project", "my-project", "--region", "europe-west4"]


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        (
            RefusedError(
                grpc.StatusCode.PERMISSION_DENIED,
                "Permission 'aiplatform.pipelineJobs.create' denied on resource "
                "'//aiplatform.googleapis.com/projects/my-project/locations/europe-west4' "
                "(or it may not exist).",
                "IAM_PERMISSION_DENIED",
                permission="aiplatform.pipelineJobs.create",
                resource="projects/my-project/locations/europe-west4",
            ),
            [
                "permission aiplatform.pipelineJobs.create is missing on projects/my-project/",
                "roles/aiplatform.user has it",
                "gcloud projects add-iam-policy-binding my-project",
            ],
        ),
        (
            RefusedError(
                grpc.StatusCode.PERMISSION_DENIED,
                "You do not have permission to act as service_account: "
                "runner@my-project.iam.gserviceaccount.com. (or it may not exist).",
            ),
            [
                "you may not run jobs as runner@my-project.iam.gserviceaccount.com",
                "--role=roles/iam.serviceAccountUser",
            ],
        ),
        (
            RefusedError(
                grpc.StatusCode.PERMISSION_DENIED,
                "ci@my-project.iam.gserviceaccount.com does not have storage.objects.get access "
                "to the Google Cloud Storage object. Permission 'storage.objects.get' denied on "
                "resource '//storage.googleapis.com/projects/_/buckets/flowers'.",
            ),
            [
                "permission storage.objects.get is missing",
                "gcloud storage buckets add-iam-policy-binding gs://flowers",
                "--role=roles/storage.objectUser",
            ],
        ),
        (
            RefusedError(
                grpc.StatusCode.PERMISSION_DENIED,
                "Vertex AI API has not been used in project 1 before or it is disabled.",
                "SERVICE_DISABLED",
                service="aiplatform.googleapis.com",
            ),
            ["gcloud services enable aiplatform.googleapis.com"],
        ),
        (
            RefusedError(grpc.StatusCode.PERMISSION_DENIED, "Something else is denied."),
            ["cannot submit", "Something else is denied."],
        ),
        (
            RefusedError(grpc.StatusCode.UNAUTHENTICATED, "invalid authentication credentials"),
            ["the credentials are not accepted", "gcloud auth application-default login"],
        ),
        (
            RefusedError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "The following quotas are exceeded: CustomModelTrainingT4GPUs",
            ),
            ["a quota is used up", "CustomModelTrainingT4GPUs", "iam-admin/quotas"],
        ),
        (
            RefusedError(grpc.StatusCode.NOT_FOUND, "Location europe-west4 is not found"),
            ["look at the name, the project and the region"],
        ),
        (
            RefusedError(grpc.StatusCode.INVALID_ARGUMENT, "Bucket gs://b does not exist"),
            ["cannot submit", "Bucket gs://b does not exist"],
        ),
        (RefusedError(grpc.StatusCode.INTERNAL, "oops"), ["a fault of its own", "oops"]),
        (RefusedError(grpc.StatusCode.UNAVAILABLE, "reset"), ["does not answer; try again"]),
    ],
    ids=lambda value: value.code.name if isinstance(value, RefusedError) else "",
)
def test_refused(
    vertex,
    vertex_spec: pathlib.Path,
    refusal: RefusedError,
    words: list[str],
    capsys: pytest.CaptureFixture[str],
):
    vertex.pipelines.refusal = refusal
    assert main(["submit", str(vertex_spec), *PLACE]) == 1
    said = capsys.readouterr().err
    assert said.startswith("flowersim: cannot submit ") and "Traceback" not in said
    for word in words:
        assert word in said
    assert len(said.splitlines()) <= 2


def test_no_credentials(
    google_cloud: Any,
    vertex_spec: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    assert main(["submit", str(vertex_spec), *PLACE]) == 1
    said = capsys.readouterr().err
    assert "there are no Google Cloud credentials here. gcloud auth application-default" in said


def test_a_broken_key_file(
    google_cloud: Any,
    vertex_spec: pathlib.Path,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    key = tmp_path / "key.json"
    key.write_text("{}", "utf-8")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
    assert main(["submit", str(vertex_spec), *PLACE]) == 1
    assert str(key) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("refusal", "message"),
    [
        ("invalid_grant", "the Google Cloud credentials are expired or revoked"),
        (None, "Google's sign-in service does not answer"),
    ],
)
def test_an_account_that_cannot_sign_in(
    google_cloud: Any,
    vertex_spec: pathlib.Path,
    tmp_path: pathlib.Path,
    refusal: str | None,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    with sign_in_server(refusal=refusal) as url:
        reached = url if refusal else "http://127.0.0.1:1/token"
        key = write_key(tmp_path / "key.json", reached)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
        assert main(["submit", str(vertex_spec), *PLACE]) == 1
    assert f"cannot sign in to Google Cloud: {message}" in capsys.readouterr().err


def test_nobody_listens(
    google_cloud: Any, vertex_spec: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    google_cloud("127.0.0.1:1")
    assert main(["submit", str(vertex_spec), *PLACE]) == 1
    assert "Vertex AI does not answer; try again later" in capsys.readouterr().err


def test_a_region_that_is_none():
    from google.api_core.exceptions import ServiceUnavailable

    text = "DNS resolution failed for europe-west44-aiplatform.googleapis.com:443"
    with pytest.raises(VertexUnreachableError, match="no region of Vertex AI"), explained("x"):
        raise ServiceUnavailable(text)


def test_other_errors_pass():
    with pytest.raises(KeyError), explained("x"):
        raise KeyError("a mistake of ours")


def test_without_the_library(
    google_cloud: Any,
    vertex_spec: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    import google.cloud

    monkeypatch.delattr(google.cloud, "aiplatform_v1", raising=False)
    monkeypatch.setitem(sys.modules, "google.cloud.aiplatform_v1", None)
    assert main(["jobs", "list", *PLACE]) == 1
    assert "pip install 'google-cloud-aiplatform" in capsys.readouterr().err
