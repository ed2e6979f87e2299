"""Cache keys follow the code that runs: an edit in a closure shows, an edit elsewhere does not."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import pathlib
import shutil
import subprocess
import sys
from types import ModuleType

import pytest

from pipeline import code_hash

# A small project of the same shape; `pipeline/code_hash.py` is copied into it by the fixture.
FILES = {
    "components/__init__.py": "",
    "components/step/__init__.py": '"""A step."""\n',
    "components/step/work.py": (
        "from __future__ import annotations\n"
        "import json, retrieval.search as search\n"
        "from . import helper\n"
        "from .constants import SIZE\n"
        "from ..shared import tool\n"
        "def run():\n"
        "    from trainer_module import lazy\n"
        "    return lazy\n"
    ),
    "components/step/helper.py": "",
    "components/step/constants.py": "SIZE = 3\n",
    "components/step/unrelated.py": "",
    "components/shared/__init__.py": "from .tool import use\n",
    "components/shared/tool.py": "def use(): pass\n",
    "components/other/__init__.py": "",
    "retrieval/__init__.py": "",
    "retrieval/search.py": "import retrieval.rows\n",
    "retrieval/rows.py": "import retrieval.search  # a cycle\n",
    "retrieval/metrics.py": "",
    "trainer_module/__init__.py": "from trainer_module.always import thing\n",
    "trainer_module/always.py": "thing = 1\n",
    "trainer_module/lazy.py": "",
    "trainer_module/trainer.py": "",
    "serving/__init__.py": "",
    "serving/server.py": "",
    "elsewhere/__init__.py": "",
}

CLOSURE = {
    "components",
    "components.step",
    "components.step.work",
    "components.step.helper",
    "components.step.constants",
    "components.shared",
    "components.shared.tool",
    "retrieval",
    "retrieval.search",
    "retrieval.rows",
    "trainer_module",
    "trainer_module.always",
    "trainer_module.lazy",
}


@pytest.fixture
def project(tmp_path: pathlib.Path) -> pathlib.Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    (tmp_path / "pipeline").mkdir()
    shutil.copy(code_hash.__file__, tmp_path / "pipeline" / "code_hash.py")
    return tmp_path


def _hasher(project: pathlib.Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("hasher", project / "pipeline" / "code_hash.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_closure_follows_every_way_to_import(project: pathlib.Path):
    closure = _hasher(project).closure("components.step.work")
    assert set(closure) == CLOSURE
    for name, path in closure.items():
        assert path.relative_to(project.resolve()).with_suffix("").as_posix() in (
            name.replace(".", "/"),
            name.replace(".", "/") + "/__init__",
        )


@pytest.mark.parametrize("file", FILES)
def test_an_edit_shows_exactly_when_it_is_in_the_closure(file: str, project: pathlib.Path):
    hasher = _hasher(project)
    before = hasher.code_hash("components.step.work")
    with open(project / file, "a", encoding="utf-8") as stream:
        stream.write("# edited: é\n")
    name = file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    assert (hasher.code_hash("components.step.work") != before) == (name in CLOSURE)


def test_other_files_of_a_package_count_where_they_are_asked_for(project: pathlib.Path):
    hasher = _hasher(project)
    page = project / "components" / "step" / "templates" / "page.html.j2"
    page.parent.mkdir()
    page.write_text("one", "utf-8")

    def both() -> tuple[str, str]:
        name = "components.step.work"
        return hasher.code_hash(name), hasher.code_hash(name, resources=["components.step"])

    plain, asked = both()
    assert plain != asked
    page.write_text("two", "utf-8")
    assert both()[0] == plain and both()[1] != asked
    page.write_text("one", "utf-8")
    compiled = page.with_name("work.cpython-311.pyc")
    compiled.write_bytes(b"0")
    assert both() == (plain, asked)
    page.rename(page.with_name("other.html.j2"))
    assert both()[1] != asked


def test_more_libraries_count_where_they_are_asked_for(monkeypatch: pytest.MonkeyPatch):
    before = code_hash.code_hash("retrieval.rows", libraries=["matplotlib"])
    real = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: "0.0" if name == "matplotlib" else real(name)
    )
    assert code_hash.code_hash("retrieval.rows", libraries=["matplotlib"]) != before


def test_the_place_of_the_project_and_the_order_of_names_do_not_matter(
    project: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
):
    copy = tmp_path_factory.mktemp("moved") / "project"
    shutil.copytree(project, copy)
    names = ("components.step.work", "serving.server")
    digest = _hasher(project).code_hash(*names)
    assert _hasher(copy).code_hash(*reversed(names)) == digest
    assert len(digest) == 16 and int(digest, 16) >= 0


def test_moving_code_from_one_module_to_another_shows(project: pathlib.Path):
    hasher = _hasher(project)
    before = hasher.code_hash("components.step.work")
    constants, helper = (project / f"components/step/{n}.py" for n in ("constants", "helper"))
    text = constants.read_text("utf-8")
    constants.write_text(helper.read_text("utf-8"), "utf-8")
    helper.write_text(text, "utf-8")
    assert hasher.code_hash("components.step.work") != before


@pytest.mark.parametrize("library", code_hash.LIBRARIES)
def test_another_version_of_a_library_shows(library: str, monkeypatch: pytest.MonkeyPatch):
    before = code_hash.code_hash("retrieval.rows")
    real = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: "0.0" if name == library else real(name)
    )
    assert code_hash.code_hash("retrieval.rows") != before


@pytest.mark.parametrize("name", ["retrieval.nothing", "numpy", "tests.conftest", "retrieval.*"])
def test_a_name_that_is_no_module_of_the_project_is_refused(name: str):
    with pytest.raises(ModuleNotFoundError, match="no module of this project"):
        code_hash.code_hash(name)


@pytest.mark.parametrize("name", ["pipeline.settings_loader", "retrieval.metrics"])
def test_what_an_import_really_loads_is_in_the_closure(name: str):
    code = (
        f"import json, sys, {name}; from pipeline.code_hash import ROOMS;"
        "print(json.dumps([m for m in sys.modules if m.split('.')[0] in ROOMS]))"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    loaded = set(json.loads(finished.stdout)) - {"pipeline.code_hash", "pipeline"}
    assert name in loaded and loaded <= set(code_hash.closure(name))


def test_serving_does_not_retrain():
    training = code_hash.closure("trainer_module.trainer", "trainer_module.preprocessing")
    assert not [name for name in training if name.startswith("serving")]
    assert "trainer_module.center_loss" in training and "retrieval.metrics" in training
