"""What docs/architecture.md says of imports holds, and what it names is there."""

from __future__ import annotations

import ast
import pathlib
import re
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]

# Each room, and the rooms that it may import.
MAY_IMPORT = {
    "retrieval": {"retrieval"},
    "trainer_module": {"trainer_module", "retrieval"},
    "components": {"components", "trainer_module", "retrieval", "serving"},
    "pipeline": {"pipeline", "components", "trainer_module", "retrieval", "serving"},
    "serving": {"serving"},
}
OUTSIDE = {"tests", "benchmarks"}


def _modules(room: str) -> list[pathlib.Path]:
    return sorted((ROOT / room).rglob("*.py"))


def _imports(file: pathlib.Path, *, at_import_only: bool = False) -> Iterator[tuple[int, str]]:
    """Line and full name of each import; if so asked, only of those that importing it executes."""
    waiting: list[ast.AST] = [ast.parse(file.read_text("utf-8"))]
    while waiting:
        node = waiting.pop()
        if at_import_only and (
            isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            or (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
        ):
            continue
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}:{node.lineno}: imports are absolute"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
        waiting.extend(ast.iter_child_nodes(node))


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_imports_point_one_way(room: str) -> None:
    forbidden = (MAY_IMPORT.keys() | OUTSIDE) - MAY_IMPORT[room]
    assert _modules(room)
    wrong = [
        f"{file.relative_to(ROOT)}:{line} imports {name}"
        for file in _modules(room)
        for line, name in _imports(file)
        if name.partition(".")[0] in forbidden
    ]
    assert not wrong


def test_search_network_and_server_need_no_tfx() -> None:
    wrong = [
        f"{file.relative_to(ROOT)}:{line} imports {name}"
        for room in ("retrieval", "trainer_module", "serving")
        for file in _modules(room)
        if file != ROOT / "trainer_module" / "trainer.py"
        for line, name in _imports(file)
        if name.partition(".")[0] in ("tfx", "ml_metadata", "apache_beam")
    ]
    assert not wrong


def test_there_are_no_circles_of_imports() -> None:
    names = {
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): file
        for room in MAY_IMPORT
        for file in _modules(room)
    }

    def module_of(target: str) -> str:
        """Of a module, or of something in it."""
        return target if target in names else target.rpartition(".")[0]

    edges = {
        name: {module_of(target) for _, target in _imports(file, at_import_only=True)}
        & names.keys() - {name}
        for name, file in names.items()
    }
    # What imports nothing that is left can be taken away, until nothing or circles are left.
    while leaves := {name for name, targets in edges.items() if not targets & edges.keys()}:
        edges = {name: targets for name, targets in edges.items() if name not in leaves}
    assert not edges


def test_what_the_page_names_is_there() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    named = re.findall(r"`([\w.*/]+/(?:[\w.*]+)?|[\w/]+\.py)`", page)
    rooms = [*MAY_IMPORT, *(f"serving/{part}" for part in ("client", "page"))]
    folders = [ROOT, *(ROOT / room for room in rooms), *(ROOT / "components").iterdir()]
    assert len(named) > 30
    missing = {name for name in named if not any((folder / name).exists() for folder in folders)}
    assert missing == {"DATA_DIR/NAME/VERSION"}
