"""A digest of exactly the code that a component runs, for cache keys.

TFX keys its cache by a component's inputs and properties; a dotted module path stays the same when
the module changes. The digest covers a module's own import closure within this project (read from
the source, nothing is imported), files beside it that it reads, and the versions of the libraries
that do the work, so that editing the server does not retrain, and editing the center loss does.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.metadata
import importlib.util
import pathlib
from collections.abc import Iterable, Iterator

ROOT = pathlib.Path(__file__).resolve().parent.parent
ROOMS = ("pipeline", "components", "trainer_module", "retrieval", "serving")

_COMPILED = (".py", ".pyc")

LIBRARIES = (
    "apache-beam",
    "keras",
    "numpy",
    "pillow",
    "tensorflow",
    "tensorflow-data-validation",
    "tensorflow-datasets",
    "tensorflow-model-analysis",
    "tensorflow-transform",
    "tfx",
    "tfx-bsl",
)


def code_hash(*modules: str, resources: Iterable[str] = (), libraries: Iterable[str] = ()) -> str:
    """Returns the digest of the import closure of `modules`.

    Args:
        modules: Dotted names of modules of this project.
        resources: Dotted names of its packages whose other files count too, templates for instance.
        libraries: Names of more libraries whose versions count.

    Returns:
        16 hexadecimal digits that depend on source text and library versions only.

    Raises:
        ModuleNotFoundError: A name that is no module of this project.
    """
    digest = hashlib.sha256()
    for name, path in sorted(closure(*modules).items()):
        digest.update(f"{name}\0".encode())
        digest.update(path.read_bytes())
    for package in resources:
        for path in sorted(ROOT.joinpath(*package.split(".")).rglob("*")):
            if path.is_file() and path.suffix not in _COMPILED:
                digest.update(f"{path.relative_to(ROOT)}\0".encode())
                digest.update(path.read_bytes())
    for library in (*LIBRARIES, *libraries):
        digest.update(f"{library}=={importlib.metadata.version(library)}\0".encode())
    return digest.hexdigest()[:16]


def closure(*modules: str) -> dict[str, pathlib.Path]:
    """Returns the source files that importing `modules` can run, by module name."""
    files: dict[str, pathlib.Path] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name in files:
            continue
        path = _source(name)
        if path is None:
            raise ModuleNotFoundError(f"{name} is no module of this project")
        files[name] = path
        # Importing a.b.c runs a and a.b first.
        if "." in name:
            waiting.append(name.rpartition(".")[0])
        waiting += _imports(name, path)
    return files


def _source(name: str) -> pathlib.Path | None:
    if name.split(".")[0] not in ROOMS:
        return None
    # The path is worked out, not looked up with find_spec, which would import the parents.
    base = ROOT.joinpath(*name.split("."))
    for candidate in (base.with_suffix(".py"), base / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _imports(name: str, path: pathlib.Path) -> Iterator[str]:
    """Yields this project's modules that `path` imports, inside functions too."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            candidates = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = importlib.util.resolve_name("." * node.level + base, package)
            candidates = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (candidate for candidate in candidates if _source(candidate) is not None)
