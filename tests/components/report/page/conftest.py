"""Pages of findings that never were, parsed or opened in a browser from a file."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from components.report.page.render import render
from tests.browser import browser as browser  # a fixture of the tests in this folder
from tests.components.report.page import sample
from tests.components.report.page.parsed import Element, parse


@pytest.fixture(scope="session")
def page_text() -> str:
    """The page of a run of 16 classes."""
    content = sample.content()
    return render(content, sample.pictures(content), sample.context())


@pytest.fixture(scope="session")
def page(page_text) -> Element:
    """The same, parsed."""
    return parse(page_text)


@pytest.fixture(scope="session")
def page_file(page_text, tmp_path_factory) -> pathlib.Path:
    """The same, in a file."""
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page_text, "utf-8")
    return path


@pytest.fixture
def opened(browser, page_file) -> Iterator[Callable]:
    """Gives `opened(**context)`, the page in the browser.

    At the end of the test it is an error if the page had one, said anything on the console, or
    asked for anything but its own file.
    """
    contexts: list[Any] = []
    requests: list[str] = []
    said: list[str] = []

    def open_page(**options) -> Any:
        context = browser.new_context(**options)
        contexts.append(context)
        context.on("request", lambda request: requests.append(request.url))
        context.on("weberror", lambda error: said.append(str(error.error)))
        context.on("console", lambda message: said.append(message.text))
        page = context.new_page()
        page.goto(page_file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    asked = [url for url in requests if not url.startswith("data:")]
    assert asked == [page_file.as_uri()] * len(contexts)
    assert not said
