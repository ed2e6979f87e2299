"""Every option of flowersim does something, is tried by some test, and says what it takes.

What each does is tested beside its command; here are the rules that hold for all.
"""

from __future__ import annotations

import argparse
import ast
import functools
import importlib
import inspect
import pathlib
import re
import textwrap
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pipeline import cli

ROOT = pathlib.Path(__file__).resolve().parents[2]


def _commands(
    parser: argparse.ArgumentParser, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """The commands that can be called, with the words that call them."""
    inner = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not inner:
        yield words, parser
    for choices in inner:
        for word, found in choices.choices.items():
            yield from _commands(found, (*words, word))


COMMANDS = dict(_commands(cli._parser()))
OPTIONS = [
    (words, action)
    for words, parser in COMMANDS.items()
    for action in parser._actions
    if not isinstance(action, argparse._HelpAction)
]
each_command = pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
each_option = pytest.mark.parametrize(
    ("words", "action"),
    OPTIONS,
    ids=[f"{' '.join(words)} {action.option_strings or action.dest}" for words, action in OPTIONS],
)


class _Reads(ast.NodeVisitor):
    """Which options a function reads, itself or in functions that it hands them to."""

    def __init__(self, function: Callable[..., Any], name: str, seen: set[Any]) -> None:
        self.found: set[str] = set()
        self._seen = seen
        self._name = name
        self._globals = function.__globals__
        self._imported: dict[str, Any] = {}
        seen.add((function, name))
        self.visit(ast.parse(textwrap.dedent(inspect.getsource(function))))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:  # noqa: N802
        # What is heavy is no place that options are handed to.
        if node.module and node.module.startswith("pipeline."):
            for alias in node.names:
                self._imported[alias.asname or alias.name] = (node.module, alias.name)

    def visit_Attribute(self, node: ast.Attribute) -> None:  # noqa: N802
        if isinstance(node.value, ast.Name) and node.value.id == self._name:
            self.found.add(node.attr)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:  # noqa: N802
        self.generic_visit(node)
        if not isinstance(node.func, ast.Name):
            return
        places = [
            index
            for index, argument in enumerate(node.args)
            if isinstance(argument, ast.Name) and argument.id == self._name
        ]
        if node.func.id == "getattr" and places == [0]:
            self.found |= self._keys(node.args[1])
        elif places and (called := self._function(node.func.id)):
            parameter = list(inspect.signature(called).parameters)[places[0]]
            if (called, parameter) not in self._seen:
                self.found |= _Reads(called, parameter, self._seen).found

    def _keys(self, key: ast.expr) -> set[str]:
        """The constant of a getattr; of a variable, all that the module's tuples of names hold."""
        if isinstance(key, ast.Constant):
            return {str(key.value)}
        tuples = [value for value in self._globals.values() if isinstance(value, tuple)]
        return {text for value in tuples for text in value if isinstance(text, str)}

    def _function(self, name: str) -> types.FunctionType | None:
        found = self._globals.get(name)
        if name in self._imported:
            module, attribute = self._imported[name]
            found = getattr(importlib.import_module(module), attribute)
        return found if isinstance(found, types.FunctionType) else None


@each_command
def test_every_option_is_read(words: tuple[str, ...]) -> None:
    parser = COMMANDS[words]
    command = parser.get_default("command")
    (name,) = inspect.signature(command).parameters
    read = _Reads(command, name, set()).found
    # What the program itself looks at: see `cli.main`.
    read.add("verbose" if "verbose" in inspect.getsource(cli.main) else "")
    given = {action.dest for words_, action in OPTIONS if words_ == words}
    assert given - read == set()


@functools.cache
def _words_of_tests() -> list[set[str]]:
    """For each test module that tries commands, the words in its texts, options among them."""
    found = []
    listing = {"test_options.py", "test_docs_commands.py"}
    for path in (ROOT / "tests").rglob("*.py"):
        if path.name in listing:
            continue
        tree = ast.parse(path.read_text("utf-8"))
        texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
        text = "\n".join(text for text in texts if isinstance(text, str))
        found.append(set(re.findall(r"(?<![\w-])--[a-z][\w-]*|[\w-]+", text)))
    return found


@each_option
def test_every_option_is_tried_by_a_test(words: tuple[str, ...], action: argparse.Action) -> None:
    """A module that speaks of the command and of the option: a net with wide meshes, but a net."""
    for option in action.option_strings[-1:]:
        wanted = {*words, option}
        tried_here = option == "--verbose" and words in WRONG
        assert tried_here or any(wanted <= found for found in _words_of_tests())


@each_option
def test_help_says_what_it_takes(words: tuple[str, ...], action: argparse.Action) -> None:
    text = action.help or ""
    assert len(re.sub(r"\(.*\)", "", text)) > 5, "nothing is said but the default"
    takes_value = action.nargs != 0
    if takes_value and action.default not in (None, "", [], False, 0):
        shown = text % {"default": action.default}
        values = action.default if isinstance(action.default, list) else [action.default]
        assert " ".join(map(str, values)) in shown or f"{action.default}:" in shown
    if action.choices and not action.metavar:
        assert all(isinstance(choice, str) for choice in action.choices)
    # An option for a number of something has a type that refuses what is none.
    if isinstance(action.default, int | float) and takes_value:
        assert action.type not in (int, float), "use pipeline/commands/argument_types.py"


def test_defaults_that_help_names_in_words_are_the_real_ones() -> None:
    for words, action in OPTIONS:
        for named in re.findall(r"\(default: (\d[\d ]*)\)", action.help or ""):
            values = action.default if isinstance(action.default, list) else [action.default]
            if action.default is not None:
                assert " ".join(map(str, values)) == named, (words, action.dest)


MISSING = "no-such-place"
# What each command cannot do, for a reason that it knows: a place, a spec or a model is missing.
WRONG = {
    ("run",): ["--set", f"data.folder={MISSING}"],
    ("prepare",): ["--set", f"data.folder={MISSING}"],
    ("compile",): [
        *("--set", "deployment.image=IMAGE", "--set", "deployment.pipeline_root=ROOT"),
        *("--set", f"data.folder={MISSING}"),
    ],
    ("report",): ["--workdir", MISSING],
    ("index", "add"): [MISSING],
    ("index", "remove"): ["rose/1.jpg", "--workdir", MISSING],
    ("index", "restore"): ["rose/1.jpg", "--workdir", MISSING],
    ("index", "rebuild"): ["--workdir", "nothing-served"],
    ("index", "purge"): ["--workdir", MISSING],
    ("monitor",): [MISSING, "--workdir", "nothing-served"],
    ("tensorboard",): ["--workdir", MISSING],
    ("compare",): [MISSING, MISSING],
    ("execute",): [MISSING],
    ("submit",): [MISSING],
    ("embed",): [MISSING, "--model", MISSING, "--output", "OUT"],
    ("jobs", "status"): ["JOB"],
    ("jobs", "wait"): ["JOB"],
    ("jobs", "cancel"): ["JOB"],
    ("jobs", "list"): [],
    ("schedules", "pause"): ["SCHEDULE"],
    ("schedules", "resume"): ["SCHEDULE"],
    ("schedules", "delete"): ["SCHEDULE"],
    ("schedules", "list"): [],
    ("endpoint", "upload"): [MISSING, "--image", "IMAGE"],
    ("endpoint", "deploy"): [MISSING, "--image", "IMAGE"],
    ("endpoint", "show"): [],
    ("endpoint", "promote"): [],
    ("endpoint", "rollback"): [],
    ("endpoint", "prune"): [],
}
VERBOSE = [
    words for words, parser in COMMANDS.items() if "--verbose" in parser._option_string_actions
]


@pytest.mark.parametrize("words", VERBOSE, ids=" ".join)
def test_an_error_is_one_line_and_with_verbose_a_traceback(
    words: tuple[str, ...],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nothing-served").mkdir()
    (tmp_path / "nothing-served" / "settings.yaml").write_text("{}\n")
    for name in ("GOOGLE_CLOUD_REGION", "CLOUD_ML_REGION", "KF_PIPELINES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    command = [*words, *WRONG[words]]
    assert cli.main(command) == 1
    (told,) = [line for line in capsys.readouterr().err.splitlines() if "flowersim: " in line]
    with pytest.raises(Exception, match=".") as raised:
        cli.main([*command, "--verbose"])
    assert str(raised.value).splitlines()[0] in told
