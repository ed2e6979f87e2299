"""The Terraform files: formatted, closed in themselves, sparing with rights.

`terraform validate` needs Google's provider, which is downloaded: it runs where `terraform init`
has been run. What is checked here otherwise is structure, by a small reader of blocks.
"""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

from tests.deploy.debian_root import ROOT

FOLDER = ROOT / "deploy" / "terraform"
FILES = sorted(FOLDER.glob("*.tf"))
TEXT = "\n".join(path.read_text("utf-8") for path in FILES)
# Without comments, and without texts that have no variable in them.
CODE = re.sub(r"^\s*#.*$", "", TEXT, flags=re.MULTILINE)


def _blocks(kind: str) -> dict[str, str]:
    """The top-level blocks of a kind: their labels, joined by dots, and their text."""
    pattern = rf'^{kind}((?: "[\w-]+")*) \{{\n(.*?)^\}}'
    found = re.findall(pattern, CODE, re.MULTILINE | re.DOTALL)
    return {".".join(re.findall(r'"([^"]+)"', labels)): body for labels, body in found}


def _locals() -> str:
    return "\n".join(re.findall(r"^locals \{\n(.*?)^\}", CODE, re.MULTILINE | re.DOTALL))


def test_what_is_referred_to_is_there():
    resources = _blocks("resource")
    assert len(resources) >= 15
    used = set(re.findall(r"\b(google_\w+\.\w+)\b", CODE))
    assert used and used <= set(resources)
    # A name that is used before = in a locals block is defined there.
    defined = set(re.findall(r"^  (\w+) +=", _locals(), re.MULTILINE))
    assert set(re.findall(r"\blocal\.(\w+)", CODE)) == defined
    assert set(re.findall(r"\bvar\.(\w+)", CODE)) == set(_blocks("variable"))


def test_variables_are_described_typed_and_checked():
    for name, body in _blocks("variable").items():
        for field in ("description", "type", "validation", "error_message"):
            assert re.search(rf"^\s+{field}\b", body, re.MULTILINE), f"{name} has no {field}"


def test_outputs_are_described():
    for name, body in _blocks("output").items():
        assert "description" in body, name


def test_nobody_gets_everything():
    roles = set(re.findall(r"roles/[\w.]+", CODE))
    assert roles == {
        "roles/aiplatform.user",
        "roles/artifactregistry.reader",
        "roles/artifactregistry.writer",
        "roles/dataflow.developer",
        "roles/dataflow.worker",
        "roles/iam.serviceAccountUser",
        "roles/iam.workloadIdentityUser",
        "roles/logging.logWriter",
        "roles/storage.legacyBucketReader",
        "roles/storage.objectUser",
        "roles/storage.objectViewer",
    }
    assert "allUsers" not in CODE and "allAuthenticatedUsers" not in CODE
    # Bindings and policies would throw out what others have granted.
    assert not re.search(r"_iam_(binding|policy)\"", CODE)
    assert "google_service_account_key" not in CODE


def test_the_project_wide_roles_are_those_that_nothing_smaller_can_have():
    (body,) = [b for name, b in _blocks("resource").items() if "project_iam_member" in name]
    assert "local.project_roles" in body
    wide = set(re.findall(r'"(\w+ roles/[\w.]+)"', _locals()))
    assert wide == {
        "runner roles/aiplatform.user",
        "runner roles/dataflow.developer",
        "runner roles/logging.logWriter",
        "submitter roles/aiplatform.user",
        "submitter roles/logging.logWriter",
        "workers roles/dataflow.worker",
    }


def test_buckets_are_closed_and_bounded():
    buckets = {
        n: b for n, b in _blocks("resource").items() if n.startswith("google_storage_bucket.")
    }
    assert buckets
    for name, body in buckets.items():
        assert re.search(r"uniform_bucket_level_access\s*= true", body), name
        assert re.search(r'public_access_prevention\s*= "enforced"', body), name
        assert "versioning" in body and "days_since_noncurrent_time" in body, name
        assert "force_destroy" not in body, name


def test_what_expires_and_what_servers_read_is_what_the_pipeline_writes():
    from pipeline.deployment import places

    folder = re.search(r'^  folder = "(\w+)"', _locals(), re.MULTILINE)
    assert folder is not None
    root = f"gs://bucket/{folder[1]}"
    serving = re.search(r'name\s*= "\$\{local\.folder\}/(.*)"', CODE)
    assert serving is not None
    assert places.serving(root, "flowers").startswith(f"{root}/{serving[1]}")
    expiring = re.findall(r'matches_prefix\s*= \["\$\{local\.folder\}/(.*)"\]', CODE)
    assert expiring == ["dataflow/"]
    kept = (places.artifacts, places.checkpoints, places.staged_data, places.outcomes)
    assert not any(place(root).startswith(f"{root}/dataflow") for place in kept)


def test_dataflows_temporary_files_expire():
    from pipeline.deployment.dataflow import dataflow_args
    from pipeline.settings_loader import load_settings

    overrides = ("project=p-roject", "region=europe-west4", "dataflow.image=i:1")
    settings = load_settings("demo", [f"deployment.{override}" for override in overrides])
    arguments = dataflow_args(settings, "gs://bucket/flowersim")
    temporary = [a for a in arguments if a.startswith(("--temp_location", "--staging_location"))]
    assert len(temporary) == 2
    assert all("=gs://bucket/flowersim/dataflow/" in argument for argument in temporary)


def test_only_tags_of_one_repository_are_the_submitter():
    provider = _blocks("resource")["google_iam_workload_identity_pool_provider.github"]
    condition = re.search(r'attribute_condition\s*= "(.*)"', provider)
    assert condition is not None
    assert condition[1] == (
        "assertion.repository == '${var.github_repository}' && "
        "assertion.ref.startsWith('refs/tags/v')"
    )
    workflow = yaml.safe_load((ROOT / ".github/workflows/release.yml").read_text("utf-8"))
    assert all(tag.startswith("v") for tag in workflow[True]["push"]["tags"])


def test_outputs_name_settings_and_the_variables_of_the_workflow():
    from pipeline.settings_loader import load_settings

    outputs = _blocks("output")
    keys = re.findall(r'"(deployment\.[\w.]+)"', outputs["settings"])
    values = {"region": "europe-west4", "pipeline_root": "gs://bucket/flowersim"}
    load_settings(
        "demo", [f"{key}={values.get(key.rpartition('.')[2], 'x-value')}" for key in keys]
    )
    assert "deployment.pipeline_root" in keys
    named = set(re.findall(r"^    ([A-Z_]+) +=", outputs["github_variables"], re.MULTILINE))
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8")
    assert named == set(re.findall(r"\bvars\.([A-Z_]+)", workflow))


def test_account_names_have_the_length_that_google_allows():
    name = re.search(r"\{(\d+),(\d+)\}\[a-z0-9\]\$\", var\.name", CODE)
    assert name is not None
    shortest, longest = int(name[1]) + 2, int(name[2]) + 2
    suffixes = re.findall(r'account_id\s*= "\$\{var\.name\}(-\w+)"', CODE)
    assert len(suffixes) == 4
    for suffix in suffixes:
        assert shortest + len(suffix) >= 6 and longest + len(suffix) <= 30


@pytest.fixture
def terraform(tmp_path: pathlib.Path) -> list[str]:
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("needs terraform")
    return [program, f"-chdir={FOLDER}"]


def _run(command: list[str], home: pathlib.Path) -> subprocess.CompletedProcess[str]:
    # Without a configuration of this machine.
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "CHECKPOINT_DISABLE": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_it_is_formatted(terraform: list[str], tmp_path: pathlib.Path):
    result = _run([*terraform, "fmt", "-check", "-recursive", "-diff"], tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_it_is_valid(terraform: list[str], tmp_path: pathlib.Path):
    if not (FOLDER / ".terraform").exists():
        pytest.skip(
            "needs Google's provider: terraform -chdir=deploy/terraform init -backend=false"
        )
    result = _run([*terraform, "validate"], tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr
