"""The wheel has what flowersim needs and nothing else, and works where there is no checkout.

A run of the pipeline from the wheel is in `tests/e2e/test_run_from_wheel.py`.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import pathlib
import re
import subprocess
import sys
import textwrap
import zipfile
from typing import Any

import pytest

from pipeline.cli import main
from tests.wheel import ROOMS, ROOT, build_wheel, call, install


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory, wheel: pathlib.Path) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("environment") / "env"
    install(wheel, folder)
    return folder


@pytest.fixture
def installed(environment: pathlib.Path, tmp_path: pathlib.Path) -> Any:
    """Gives `installed(PROGRAM, ARGUMENT…)`: what it prints, called in an empty folder."""

    def run(program: str, *arguments: str) -> str:
        result = call(environment, program, *arguments, cwd=tmp_path)
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    return run


def test_every_file_of_the_rooms_is_in_it_and_no_other(wheel: pathlib.Path) -> None:
    source = wheel.parent / "source"
    files = {
        path.relative_to(source).as_posix(): path.read_bytes()
        for room in ROOMS
        for path in (source / room).rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }
    with zipfile.ZipFile(wheel) as archive:
        packed = {name: archive.read(name) for name in archive.namelist()}
    about = {name for name in packed if re.match(r"flowersim-[\d.]+\.dist-info/", name)}
    inside = {name: content for name, content in packed.items() if name not in about}
    assert sorted(inside) == sorted(files)
    assert inside == files
    # Code, and what is not code: all of this is read at run time, or is what the docs point to.
    for name in (
        "pipeline/presets/flowers102.yaml",
        "components/example_schema/schema.pbtxt",
        "components/report/page/templates/report.html.j2",
        "pipeline/comparison/templates/comparison.css",
        "serving/page/index.html",
        "serving/deploy/kubernetes/base/deployment.yaml",
        "serving/deploy/monitoring/dashboards/flowersim.json",
    ):
        assert name in inside
    assert {name.partition("/")[2] for name in about} >= {
        "METADATA",
        "entry_points.txt",
        "licenses/LICENSE",
    }


def test_what_it_says_of_itself(wheel: pathlib.Path) -> None:
    (about,) = importlib.metadata.distributions(path=[str(wheel)])
    assert about.metadata["Name"] == "flowersim" and about.version in wheel.name
    assert about.metadata["License"] == "MIT"
    assert about.metadata["Requires-Python"] == ">=3.10,<3.14"
    assert "\n\n# flowersim\n" in (about.read_text("METADATA") or "")
    assert {"dev", "gpu", "kfp"} == set(about.metadata.get_all("Provides-Extra") or ())
    assert any(line.startswith("tfx<1.17,>=1.16") for line in about.requires or ())


def test_the_checkout_is_not_what_is_imported(environment: pathlib.Path, installed: Any) -> None:
    code = f"import importlib; [print(importlib.import_module(n).__file__) for n in {ROOMS}]"
    found = installed("python", "-c", code).splitlines()
    assert len(found) == len(ROOMS)
    assert all(pathlib.Path(file).is_relative_to(environment) for file in found)


def test_the_version_is_that_of_setup_py(
    installed: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    (declared,) = re.findall(r'^    version="(.+)",$', (ROOT / "setup.py").read_text(), re.M)
    assert installed("flowersim", "--version") == f"{declared}\n"
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"{importlib.metadata.version('flowersim')}\n"


def test_help_and_settings_are_those_of_the_checkout(
    installed: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit):
        main(["--help"])
    assert installed("flowersim", "--help") == capsys.readouterr().out
    for preset in ("demo", "flowers102"):
        main(["settings", "--yaml", "--preset", preset])
        mine = capsys.readouterr().out
        assert installed("flowersim", "settings", "--yaml", "--preset", preset) == mine


def test_pages_have_their_files(installed: Any) -> None:
    """The web page over HTTP, and each template with what it includes."""
    code = """
        import hashlib, json
        from types import SimpleNamespace
        import jinja2.meta
        from starlette.applications import Starlette
        from starlette.testclient import TestClient
        from components.report.page.template_environment import environment, script_digest
        from pipeline.comparison import page
        from serving.page_routes import page_routes

        models = SimpleNamespace(configs=lambda: [SimpleNamespace(name="flowers")])
        client = TestClient(Starlette(routes=page_routes(models)))
        assert client.get("/page/models.json").json()["models"] == ["flowers"]
        made = environment({}, page._TEMPLATES)
        templates = made.list_templates()
        for name in templates:
            source, _, _ = made.loader.get_source(made, name)
            included = jinja2.meta.find_referenced_templates(made.parse(source))
            assert set(included) <= set(templates), name
        script_digest(["page.js", "map.js"])
        made.globals["style"]()
        names = ["index.html", "page.js", "style.css", "results.css", "icon.svg", ""]
        pages = {name: client.get(f"/page/{name}").content for name in names}
        digests = {name: hashlib.sha256(content).hexdigest() for name, content in pages.items()}
        print(json.dumps({"templates": templates, "pages": digests}))
    """
    found = json.loads(installed("python", "-c", textwrap.dedent(code)))
    assert {"report.html.j2", "comparison.html.j2", "comparison.css"} <= set(found["templates"])
    for name, digest in found["pages"].items():
        file = ROOT / "serving/page" / (name or "index.html")
        assert digest == hashlib.sha256(file.read_bytes()).hexdigest(), name


def test_the_servers_know_their_files(
    installed: Any, environment: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    assert "--model_base_path" in installed("python", "-m", "serving.model_server", "--help")
    (tmp_path / "runs/demo/serving/flowers").mkdir(parents=True)
    printed = installed("flowersim", "serve", "--print-command")
    file = next(re.finditer(r"[^\s=:,'\"]+/monitoring\.config", printed))[0]
    assert pathlib.Path(file).is_relative_to(environment) and pathlib.Path(file).is_file()


@pytest.mark.extended
def test_it_compiles_the_pipeline_that_the_checkout_does(
    installed: Any, wheel: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """Every digest of code included: what one has in its cache, the other finds there."""
    pytest.importorskip("kfp", reason="needs kfp to compile")
    command = [
        *("compile", "--workdir", str(tmp_path)),
        *("--set", "deployment.image=IMAGE"),
        *("--set", "deployment.pipeline_root=gs://BUCKET/flowersim"),
        # The dataset is drawn first: its version goes into the pipeline.
        *("--set", "data.synthetic.classes=2", "--set", "data.synthetic.image_size=32"),
    ]
    installed("flowersim", *command, "--output", str(tmp_path / "from_wheel.json"))
    # The copy that the wheel was made of, since somebody may be at work in the checkout itself.
    source = wheel.parent / "source"
    subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *command, "--output", tmp_path / "from_source.json"],
        cwd=source,
        env={**os.environ, "PYTHONPATH": str(source)},
        check=True,
        capture_output=True,
    )
    written = [(tmp_path / f"from_{name}.json").read_text("utf-8") for name in ("wheel", "source")]
    assert "code" in written[0] and written[0] == written[1]
