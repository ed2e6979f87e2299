"""Names that come from elsewhere do not steer the terminal that they are printed in."""

from __future__ import annotations

import doctest
import io
import json
import pathlib
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.markup import escape
from rich.table import Table

from components.example_schema.names import has_control_characters
from pipeline import terminal
from pipeline.cli import main
from pipeline.query.output import Tables, print_neighbours
from pipeline.query.sheet import Sheet
from pipeline.query.thumbnails import Thumbnails
from serving.client import Neighbour, RequestError

# Sets a title, clears the screen, goes back to the line's begin, and is the C1 form of ESC [.
EVIL = "a\x1b]0;owned\x07b\x1b[2Jc\rd\x9b31me\x08\u202ef[/bold]\udc9bg"
SHOWN = r"a\x1b]0;owned\x07b\x1b[2Jc\rd\x9b31me\x08\u202ef[/bold]\udc9bg"


def steers(printed: str) -> bool:
    """Whether anything but ends of lines is left that a terminal would obey."""
    return any(
        unicodedata.category(character) in ("Cc", "Cs") or character in "\u202a\u202b\u202d\u202e"
        for character in printed.replace("\n", "")
    )


@pytest.mark.parametrize("name", ["printable", "one_line"])
def test_doctests(name: str) -> None:
    function = getattr(terminal, name)
    for found in doctest.DocTestFinder().find(function, name, globs=vars(terminal).copy()):
        assert doctest.DocTestRunner().run(found) == doctest.TestResults(0, 1)


@given(st.text(st.characters()))
def test_whatever_the_text(text: str) -> None:
    assert not steers(terminal.printable(text).replace("\t", ""))
    assert not steers(terminal.one_line(text)) and "\n" not in terminal.one_line(text)
    terminal.one_line(text).encode()  # which halves of characters have not


@given(st.text(st.characters(codec="utf-8", exclude_categories=["C"])))
def test_what_steers_nothing_stays(text: str) -> None:
    assert terminal.printable(text) == text


@given(st.text(st.characters()))
def test_names_that_are_accepted_are_printed_as_they_are(text: str) -> None:
    assert has_control_characters(text) or terminal.one_line(text) == text


def test_a_console_makes_no_pictures_of_names() -> None:
    screen = io.StringIO()
    terminal.terminal(file=screen).print("shop:rose:17", ":100:", markup=False)
    assert screen.getvalue() == "shop:rose:17 :100:\n"


def test_a_console_prints_it_written_out() -> None:
    screen = io.StringIO()
    console = terminal.terminal(file=screen, width=200)
    console.print(EVIL, markup=False)
    console.print(f"[bold]{escape(EVIL)}[/bold]")
    table = Table(EVIL.replace("[/bold]", ""), box=None)
    table.add_row(escape(EVIL))
    console.print(table)
    assert not steers(screen.getvalue())
    assert screen.getvalue().count(SHOWN) == 3


def test_what_a_server_answers() -> None:
    neighbour = Neighbour(
        rank=1, id=f"{EVIL}\nid", class_name=f"{EVIL}\tx", label=3, score=0.5, is_match=True
    )
    screen = io.StringIO()
    print_neighbours(EVIL, [neighbour], terminal.terminal(file=screen, width=400))
    assert not steers(screen.getvalue())
    assert rf"{SHOWN}\nid" in screen.getvalue() and rf"{SHOWN}\tx" in screen.getvalue()


def test_what_a_server_says_of_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    class Client:
        """A server that has no pictures, and says so in its own way."""

        def thumbnails(self, ids: list[str]) -> list[bytes]:
            raise RequestError(EVIL)

    pictures = Thumbnails(Client())  # type: ignore[arg-type]
    output = Tables(terminal.terminal(file=io.StringIO()), None, pictures)
    output.failed("photo.jpg", EVIL)
    assert pictures.of([]) is None
    printed = capsys.readouterr().err
    assert printed.count(SHOWN) == 2 and not steers(printed)


def test_an_error_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "no\x1b[2Jthing.npz"]) == 1
    assert capsys.readouterr().err == "flowersim: no\\x1b[2Jthing.npz is not there\n"


def test_classes_and_ids_of_an_evaluation(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, names = tmp_path / "e.npz", [EVIL.replace("\udc9b", "")] * 2 + ["[/red]"] * 2
    np.savez(path, embeddings=np.eye(4), labels=names, ids=[f"{EVIL[:-2]}{n}" for n in range(4)])
    assert main(["eval", str(path), "--json", str(tmp_path / "found.json")]) == 0
    printed = capsys.readouterr().out
    assert not steers(printed) and "[/red]" in printed
    assert {
        one["label"] for one in json.loads((tmp_path / "found.json").read_text())["classes"]
    } == {*names}


def test_the_page_of_a_query_may_run_and_load_nothing(tmp_path: pathlib.Path) -> None:
    sheet = Sheet(tmp_path / "page.html", Thumbnails(None))  # type: ignore[arg-type]
    sheet.failed("photo.jpg", "<script>alert(1)</script>")
    sheet.close()
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "<script" not in page
    head = page.partition("<style>")[0]
    assert (
        'http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:;' in head
    )
    assert "script-src" not in head
