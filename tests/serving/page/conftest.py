"""A real browser before real servers, and a watch on everything that the page asks for."""

from __future__ import annotations

import contextlib
import functools
import http.server
import pathlib
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from serving.model_server import ServerOptions, running_server
from tests.browser import browser as browser  # a fixture of the tests in this folder
from tests.serving.page import gallery_model

FILES = pathlib.Path(__file__).resolve().parents[3] / "serving" / "page"


@pytest.fixture
def visit(browser) -> Iterator[Callable]:
    """Gives `visit(url, servers=(), refused=(), **context)`: a page, each request of which is seen.

    At the end of the test it is an error if the page had one, or asked anybody but the server that
    it is from and `servers`; of `refused`, if the browser let it ask.
    """
    with contextlib.ExitStack() as stack:
        requests: list[tuple[Any, set[str], set[str]]] = []
        errors: list[str] = []

        def open_page(url: str, servers=(), refused=(), **context):
            opened = browser.new_context(**context)
            stack.callback(opened.close)
            opened.set_default_timeout(45_000)
            allowed, blocked = {origin(url), *map(origin, servers)}, set(map(origin, refused))
            opened.on("request", lambda request: requests.append((request, allowed, blocked)))
            opened.on("weberror", lambda error: errors.append(str(error.error)))
            page = opened.new_page()
            page.goto(url)
            return page

        yield open_page
        elsewhere = [
            request.url
            for request, allowed, blocked in requests
            if not request.url.startswith("blob:")
            and origin(request.url) not in allowed
            and not (origin(request.url) in blocked and request.failure == "csp")
        ]
        assert requests and not elsewhere
        assert not errors


def origin(url: str) -> str:
    """Scheme and host of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


@pytest.fixture(scope="session")
def gallery_folder(tmp_path_factory) -> pathlib.Path:
    """Version 12 of the similarity model."""
    folder = tmp_path_factory.mktemp("gallery")
    gallery_model.save(folder / "12")
    return folder


@pytest.fixture(scope="session")
def server(gallery_folder) -> Iterator[str]:
    """The URL of a server of it, named flowers."""
    with running_server(ServerOptions(str(gallery_folder), model_name="flowers")) as url:
        yield url


@pytest.fixture(scope="session")
def open_server(gallery_folder) -> Iterator[str]:
    """The same, which lets pages of other origins ask."""
    options = ServerOptions(
        str(gallery_folder), model_name="flowers", rest_api_enable_cors_support=True
    )
    with running_server(options) as url:
        yield url


@pytest.fixture(scope="session")
def copy_url() -> Iterator[str]:
    """The URL of a web server that has nothing but a copy of the page."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(FILES))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as copy:
        thread = threading.Thread(target=copy.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{copy.server_address[1]}/"
        copy.shutdown()
        thread.join()
