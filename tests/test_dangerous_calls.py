"""No file calls what runs text as code or as a command of a shell, but those that say why.

Reads the syntax of every Python file; nothing is run. What goes by a name that is made at run time
(`getattr`) is not seen.
"""

from __future__ import annotations

import ast
import pathlib
from collections.abc import Iterator

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[1]
ROOMS = ("pipeline", "components", "trainer_module", "retrieval", "serving", "benchmarks", "tests")

# By where a name was imported from, whatever it is called there.
SHELL = {
    "os.system",
    "os.popen",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
    "asyncio.create_subprocess_shell",
}
CODE = {"eval", "exec", "builtins.eval", "builtins.exec", "runpy.run_path"}
UNPICKLING = {
    *(f"{room}.{name}" for room in ("pickle", "_pickle") for name in ("load", "loads")),
    *("pickle.Unpickler", "pickle._Unpickler", "shelve.open", "marshal.load", "marshal.loads"),
    *("dill.load", "dill.loads", "cloudpickle.load", "cloudpickle.loads", "joblib.load"),
    *("torch.load", "pandas.read_pickle", "jsonpickle.decode"),
}
YAML = {f"yaml.{name}" for name in ("load", "load_all", "unsafe_load", "unsafe_load_all")} | {
    "yaml.full_load",
    "yaml.full_load_all",
}
FILES = {"tempfile.mktemp", "shutil.unpack_archive"}
UNSAFE_KERAS = {"keras.config.enable_unsafe_deserialization", "keras.models.load_model"}
# pyarrow 10, which TFX 1.16 needs, runs what a hostile file says: SECURITY.md.
ARROW = {
    *(f"pandas.{name}" for name in ("read_parquet", "read_feather", "read_orc")),
    *("pyarrow.ipc.open_file", "pyarrow.ipc.open_stream", "pyarrow.ipc.read_record_batch"),
    *("pyarrow.parquet.read_table", "pyarrow.parquet.ParquetFile", "pyarrow.dataset.dataset"),
    *("apache_beam.io.ReadFromParquet", "apache_beam.io.parquetio.ReadFromParquet"),
}
REFUSED = SHELL | CODE | UNPICKLING | YAML | FILES | UNSAFE_KERAS | ARROW
# Methods, of whatever object: archives write where their members' names say.
REFUSED_METHODS = {"extractall"}
SHELL_WITH_A_SCRIPT = "a shell with -c"
# Of tests the scripts and the Arrow files are their own; and they execute the examples in the docs.
NOT_IN_TESTS = {SHELL_WITH_A_SCRIPT, "exec", *ARROW}
SHELLS = {"sh", "bash", "dash", "zsh", "/bin/sh", "/bin/bash"}

# (file, what it calls): why it may.
ALLOWED = {
    (
        "trainer_module/torch_state_dict.py",
        "pickle._Unpickler",
    ): "the base of an unpickler that knows a few globals and opcodes: test_hostile_weights.py",
    (
        "tests/trainer_module/test_hostile_weights.py",
        "pickle.loads",
    ): "reads what the test wrote, to have an extension in the process's cache",
    (
        "tests/components/sharded_search/test_nearest.py",
        "pickle.loads",
    ): "reads what the test wrote",
    (
        "tests/components/sharded_search/test_ranking.py",
        "pickle.loads",
    ): "reads what the test wrote",
    ("pipeline/settings_loader.py", "yaml.load"): "with a SafeLoader of its own, see below",
    ("pipeline/spec_executor/loader.py", "yaml.load_all"): "with a SafeLoader, see below",
    ("tests/trainer_module/test_torch_state_dict.py", "eval"): "named in an attack, not called",
    ("tests/trainer_module/test_torch_state_dict.py", "os.system"): "named in an attack",
}


def python_files() -> Iterator[pathlib.Path]:
    yield ROOT / "setup.py"
    for room in ROOMS:
        yield from sorted((ROOT / room).rglob("*.py"))


def imported(tree: ast.AST) -> dict[str, str]:
    """What each imported name stands for, wherever in the file it is imported."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first = alias.name.partition(".")[0]
                found[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found


def dotted(node: ast.expr, names: dict[str, str]) -> str:
    """`os.system` of the expression that means it; empty for what is no such name."""
    if isinstance(node, ast.Name):
        return names.get(node.id, node.id)
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value, names)
        return f"{inner}.{node.attr}" if inner else ""
    return ""


def constant(node: ast.expr) -> object:
    return node.value if isinstance(node, ast.Constant) else node


def dangers(source: str) -> set[str]:
    """What a file does that needs a reason."""
    tree = ast.parse(source)
    names, found = imported(tree), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            # Not only calls: a function can be handed on, and be a base class's name.
            name = dotted(node, names)
            if name in REFUSED:
                found.add(name)
            if isinstance(node, ast.Attribute) and node.attr in REFUSED_METHODS:
                found.add(node.attr)
        if isinstance(node, ast.Call):
            found |= set(of_call(node, dotted(node.func, names)))
        if isinstance(node, ast.List | ast.Tuple):
            words = [constant(element) for element in node.elts]
            if any(
                one in SHELLS and two == "-c" for one, two in zip(words, words[1:], strict=False)
            ):
                found.add(SHELL_WITH_A_SCRIPT)
    return found


def of_call(node: ast.Call, name: str) -> Iterator[str]:
    given = {word.arg: constant(word.value) for word in node.keywords if word.arg}
    if given.get("shell", False) is not False:
        yield "shell=True"
    if given.get("allow_pickle", False) is not False:
        yield "allow_pickle=True"
    if given.get("safe_mode", True) is not True:
        yield "safe_mode=False"
    if given.get("verify", True) is False:
        yield "verify=False"
    if name in ("jinja2.Environment", "jinja2.Template") and given.get("autoescape") is not True:
        yield "jinja2 without autoescape"
    if name.startswith("jinja2.") and given.get("autoescape", True) is False:
        yield "jinja2 without autoescape"


@pytest.mark.parametrize(
    ("source", "danger"),
    [
        ("import os\nos.system('x')", "os.system"),
        ("from os import popen as p\np(x)", "os.popen"),
        ("import subprocess as s\ns.run(x, shell=True)", "shell=True"),
        ("import subprocess\nsubprocess.run(x, shell=y)", "shell=True"),
        ("run(['bash', '-c', x])", SHELL_WITH_A_SCRIPT),
        ("run((*first, '/bin/sh', '-c', f'ls {x}'))", SHELL_WITH_A_SCRIPT),
        ("eval(x)", "eval"),
        ("import builtins\nbuiltins.exec(x)", "builtins.exec"),
        ("import pickle\nread = pickle.loads", "pickle.loads"),
        ("from pickle import Unpickler\nclass A(Unpickler): pass", "pickle.Unpickler"),
        ("import numpy as np\nnp.load(x, allow_pickle=True)", "allow_pickle=True"),
        ("def f():\n    import yaml\n    yaml.load(x, Loader=yaml.Loader)", "yaml.load"),
        ("from yaml import unsafe_load\nunsafe_load(x)", "yaml.unsafe_load"),
        ("import tempfile\ntempfile.mktemp()", "tempfile.mktemp"),
        ("archive.extractall(x)", "extractall"),
        ("import keras\nkeras.models.load_model(x)", "keras.models.load_model"),
        ("import pandas as pd\npd.read_parquet(x)", "pandas.read_parquet"),
        (
            "import apache_beam as beam\nbeam.io.ReadFromParquet(x)",
            "apache_beam.io.ReadFromParquet",
        ),
        ("import jinja2\njinja2.Environment()", "jinja2 without autoescape"),
        ("import httpx\nhttpx.get(x, verify=False)", "verify=False"),
    ],
)
def test_each_danger_is_seen(source: str, danger: str):
    assert danger in dangers(source)


@pytest.mark.parametrize(
    "source",
    [
        "import re\nre.compile(x)",
        "import subprocess\nsubprocess.run(['ls', x], shell=False)",
        "import yaml\nyaml.safe_load(x)",
        "import numpy as np\nnp.load(x, allow_pickle=False)",
        "tmp_path_factory.mktemp('x')",
        "run([python, '-c', code])",
        "import jinja2\njinja2.Environment(autoescape=True)",
        "model.eval()",
    ],
)
def test_what_is_none_is_not(source: str):
    assert dangers(source) == set()


def test_no_file_has_any_but_those_with_a_reason():
    found = {
        (path.relative_to(ROOT).as_posix(), danger)
        for path in python_files()
        for danger in dangers(path.read_text("utf-8"))
        if danger not in NOT_IN_TESTS or not path.is_relative_to(ROOT / "tests")
    }
    assert len(list(python_files())) > 300
    assert sorted(found - set(ALLOWED)) == []
    assert sorted(set(ALLOWED) - found) == [], "no longer there: take it out of the list"


@pytest.mark.parametrize("tag", ["python/object/apply:os.getcwd", "python/name:os.system", "x"])
def test_the_loaders_of_yaml_make_no_objects(tag: str, tmp_path: pathlib.Path):
    from pipeline.settings_loader import SettingsError, load_settings
    from pipeline.spec_executor import loader
    from pipeline.spec_executor.errors import SpecExecutorError

    hostile = tmp_path / "hostile.yaml"
    hostile.write_text(f"data: !!{tag} []\n")
    with pytest.raises(SettingsError, match="hostile.yaml"):
        load_settings(str(hostile), [])
    # The loader's class is made at each call.
    assert issubclass(loader._TextDatesLoader(), yaml.SafeLoader)
    with pytest.raises(SpecExecutorError, match="hostile.yaml"):
        loader.load_spec(hostile)
