"""What the documentation shows is so: commands are executed by a test, or there is a reason.

Those that can be are executed by `tests/e2e/test_readme_commands.py`, with what its run has left;
all commands of flowersim must at least be ones that its parser takes.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import io
import pathlib
import re
import shlex
from collections.abc import Iterator

import pytest
import yaml

from pipeline import cli
from pipeline.settings_loader import load_settings
from tests.documented import PAGES, blocks, documented, shell_commands

ROOT = pathlib.Path(__file__).resolve().parents[1]
E2E = ROOT / "tests" / "e2e" / "test_readme_commands.py"

CLOUD = "needs a Google Cloud project or a Kubeflow installation; "
# Why commands are not executed, by what matches the whole of them.
NOT_EXECUTED = {
    r"gcloud .*": "needs a Google Cloud project",
    r"terraform .*": "needs a Google Cloud project; tests/deploy/test_terraform.py",
    r"docker (build|push|run|compose) .*": "needs docker; tests/deploy, tests/serving/deploy",
    r"deploy/check_image\.sh .*": "needs docker; tests/deploy/test_image.py",
    r"kubectl .*": "needs a cluster; tests/serving/deploy/test_kubernetes.py, test_kserve.py",
    r"serving/deploy/kubernetes/loader/load_version\.sh .*": "needs a cluster; "
    "tests/serving/deploy/test_loader.py",
    r"rclone .*": "needs a bucket; tests/serving/deploy/test_bucket_sync.py",
    r"flowersim serve --backend docker": "needs docker; "
    "tests/pipeline/commands/test_serve_command.py",
    r"flowersim (jobs|schedules|endpoint) .*": CLOUD
    + "tests/pipeline/submission, tests/pipeline/registry",
    r"flowersim submit \S+\.yaml .*": CLOUD + "tests/pipeline/submission/test_kubeflow.py",
    r"flowersim submit .* --cron .*": CLOUD + "tests/pipeline/submission/test_vertex.py",
    r"flowersim submit .* --if-new-data": CLOUD + "tests/pipeline/submission/test_new_data.py",
    r"flowersim (compile|prepare) --preset flowers102 .*": "downloads 330 MB; with small data "
    "tests/pipeline/deployment",
    r"flowersim embed .* --format parquet": "another form; "
    "tests/pipeline/commands/test_embed_command.py",
    r"flowersim embed gs://.*": "needs a bucket; tests/pipeline/test_in_a_bucket.py",
    # What the README shows as well, in other words.
    r"flowersim (compile --output demo\.json|execute demo\.json|prepare --stage) .*": "README",
    r"flowersim prepare --stage --workdir W": "README",
    r"flowersim compile --workdir W .*": "README",
    r"\.venv/bin/flowersim execute pipeline\.json": "takes minutes without --mode fast; "
    "tests/e2e/test_compiled_pipeline.py, extended",
    r"flowersim (serve|runs|report|tensorboard)": "README",
    r"flowersim (report|tensorboard|compare) [-\w ]*\b20\d{6}.*|flowersim compare runs/f.*|"
    r"flowersim tensorboard --workdir \S+ --port \d+": "other ways to name a run or a workdir; "
    "tests/pipeline/test_run_records.py, tests/pipeline/tensorboard",
    r"flowersim compare .* --json .* --html .*": "README, with more options; "
    "tests/pipeline/commands/test_compare_command.py",
    r"flowersim tensorboard .* --no-serve": "README, and then not served; "
    "tests/pipeline/tensorboard/test_command.py",
    r'flowersim run --set "report\.card\..*"': "a setting as any other; "
    "tests/components/report/page/test_model_card.py",
    r"\.venv/bin/flowersim monitor /var/log/.*": "the other example, with other paths",
}


def _executed() -> set[str]:
    """The commands that the test of whole runs asks `documented` for."""
    found = set()
    for node in ast.walk(ast.parse(E2E.read_text("utf-8"))):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "documented":
            page, part = (ast.literal_eval(argument) for argument in node.args)
            found.add(documented(page, part))
    return found


def test_every_command_is_executed_or_there_is_a_reason() -> None:
    executed = _executed()
    assert len(executed) >= 12
    shown = {command for page in PAGES for command in shell_commands(page.name)}
    reasons = {
        command: [pattern for pattern in NOT_EXECUTED if re.fullmatch(pattern, command)]
        for command in shown - executed
    }
    assert {command for command, found in reasons.items() if not found} == set()
    assert {pattern for found in reasons.values() for pattern in found} == set(NOT_EXECUTED)


def test_the_tests_that_reasons_name_are_there() -> None:
    for reason in NOT_EXECUTED.values():
        for place in re.findall(r"tests/[\w/.]+", reason):
            assert (ROOT / place).exists(), place


def _commands(page: str) -> Iterator[list[str]]:
    """Arguments of the calls of flowersim."""
    for line in shell_commands(page):
        words = shlex.split(line)
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            words.pop(0)  # environment variables
        while "|" in words:
            words = words[words.index("|") + 1 :]
        if words and pathlib.PurePath(words[0]).name == "flowersim":
            ends = [index for index, word in enumerate(words) if word in (">", "&", "&&")]
            yield words[1 : min(ends, default=len(words))]


CASES = [
    pytest.param(words, id=f"{page.name}: {' '.join(words)[:70]}")
    for page in PAGES
    for words in _commands(page.name)
]


def test_there_are_commands_to_look_at():
    assert len(CASES) > 25
    assert len(list(_commands("deploy.md"))) > 15


@pytest.mark.parametrize("words", CASES)
def test_the_parser_takes_it(words: list[str]):
    message = io.StringIO()
    try:
        with contextlib.redirect_stderr(message):
            options = cli._parser().parse_args(words)
    except SystemExit:
        pytest.fail(message.getvalue())
    _check_settings(options)


def _check_settings(options: argparse.Namespace) -> None:
    """Settings must exist and have values that are allowed; placeholders are in capitals."""
    overrides = getattr(options, "overrides", None)
    if overrides:
        # Together, since some need each other; the preset's own values fill the rest.
        platform = getattr(options, "platform", None)
        chosen = [f"deployment.platform={platform}"] if platform else []
        load_settings("demo", [*chosen, *overrides])


def test_the_server_s_configuration_files_are_what_it_reads():
    from serving import batching_parameters, model_config

    files = [block for block in blocks("serving.md", "") if "{" in block]
    (models,) = (block for block in files if block.startswith("model_config_list"))
    (batching,) = (block for block in files if block.startswith("max_batch_size"))
    assert len(files) == 2
    (config,) = model_config.parse(models)
    assert (config.name, config.base_path) == ("flowers", "/models/flowers")
    assert dict(config.labels) == {"stable": 1, "canary": 2}
    assert config.logging is not None
    assert config.logging.prefix == "/var/log/flowers/requests"
    assert config.logging.rate == 0.01
    parameters = batching_parameters.parse(batching)
    assert (parameters.max_batch_size, parameters.num_batch_threads) == (8, 2)
    assert (parameters.batch_timeout_micros, parameters.max_enqueued_batches) == (0, 1000)


def test_the_kustomization_names_folders_that_are_there():
    (block,) = blocks("serve-in-production.md", "yaml")
    document = yaml.safe_load(block)
    for folder in (*document["resources"], *document["components"]):
        parts = pathlib.PurePath(folder).parts
        assert parts[0] == "flowersim"
        assert ROOT.joinpath(*parts[1:], "kustomization.yaml").is_file(), folder
    (image,) = document["images"]
    # It changes the tag of an image that is used, which it names as that is named.
    deployment = (ROOT / "serving/deploy/kubernetes/base/deployment.yaml").read_text("utf-8")
    assert re.search(rf"image: {re.escape(image['name'])}\b", deployment)


def test_every_python_snippet_is_executed_somewhere():
    """By the test of whole runs, or for what is executed here by that of the executor."""
    with_python = {page.name for page in PAGES if blocks(page.name, "python")}
    assert with_python == {"client.md", "endpoints.md", "execute.md"}
    for page, test in (
        ("client.md", E2E),
        ("endpoints.md", E2E),
        ("execute.md", ROOT / "tests/pipeline/spec_executor/test_documented.py"),
    ):
        assert f'blocks("{page}", "python")' in test.read_text("utf-8")
