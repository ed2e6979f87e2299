"""What the page says of servers that are away, loading, of another kind, or of several models."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from serving.model_server import ServerOptions, running_server
from tests.serving.page import gallery_model
from tests.serving.page.driving import answered, choose, expected, wait_until
from tests.serving.page.gallery_model import colour, encoded, picture

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
expect = sync_api.expect

LIME = encoded(picture(colour(2, 1)), "png")


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


@contextlib.contextmanager
def started(options: ServerOptions, port: int) -> Iterator[None]:
    """A server that need not have a model yet; it answers, though."""

    def serve() -> None:
        with running_server(options, port=port):
            stop.wait(120)

    stop = threading.Event()
    thread = threading.Thread(target=serve)
    thread.start()
    try:
        while thread.is_alive():
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{port}/healthz")
                break
            time.sleep(0.02)
        yield
    finally:
        stop.set()
        thread.join()


def wait_for_end(url: str, model: str) -> None:
    """Waits until a server no longer serves a version of a model, or has failed to."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        answer = httpx.get(f"{url}/v1/models/{model}").json()
        if any(one["state"] == "END" for one in answer.get("model_version_status", [])):
            return
        time.sleep(0.02)
    pytest.fail(f"every version of {model} is still served, or loading")


def test_away_and_back(visit, gallery_folder, free_port):
    options = ServerOptions(str(gallery_folder), model_name="flowers")
    url = f"http://127.0.0.1:{free_port}"
    with running_server(options, port=free_port):
        page = visit(url)
        wait_until(page, "ready")
        wanted = expected(url, LIME)[:12]
    # It is noticed at the next look, or by a request that fails.
    choose(page, ("lime.png", LIME))
    expect(page.locator("#notice")).to_contain_text(f"No answer from {url}")
    expect(page.locator("#progress")).to_contain_text("“lime.png” will be searched as soon as")
    with running_server(options, port=free_port):
        assert answered(page, "lime.png") == wanted
        expect(page.locator("#notice")).to_be_hidden()
        wait_until(page, "ready")


def test_a_server_that_goes_is_noticed_without_asking(visit, gallery_folder, free_port):
    options = ServerOptions(str(gallery_folder), model_name="flowers")
    with running_server(options, port=free_port):
        page = visit(f"http://127.0.0.1:{free_port}")
        wait_until(page, "ready")
    wait_until(page, "away")


def test_still_loading(visit, gallery_folder, free_port, tmp_path):
    base = tmp_path / "base"
    base.mkdir()
    options = ServerOptions(str(base), model_name="flowers", file_system_poll_wait_seconds=0.05)
    with started(options, free_port):
        url = f"http://127.0.0.1:{free_port}"
        page = visit(url)
        wait_until(page, "loading")
        expect(page.locator("#notice")).to_contain_text("“flowers” is still loading")
        choose(page, ("lime.png", LIME))
        shutil.copytree(gallery_folder / "12", tmp_path / "staged")
        (tmp_path / "staged").rename(base / "3")
        answered(page, "lime.png")
        expect(page.locator("#version")).to_have_text("version 3")


def test_a_version_that_cannot_be_loaded(visit, free_port, tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"no model")
    config = tmp_path / "models.config"
    config.write_text("model_config_list {}")
    options = ServerOptions(model_config_file=str(config), model_config_file_poll_wait_seconds=0.05)
    with started(options, free_port):
        url = f"http://127.0.0.1:{free_port}"
        page = visit(url)
        expect(page.locator("#problem")).to_contain_text("This server has no model")
        config.write_text(
            f'model_config_list {{ config {{ name: "bad" base_path: "{tmp_path}" }} }}'
        )
        wait_for_end(url, "bad")
        page.reload()
        wait_until(page, "broken")
        expect(page.locator("#notice")).to_contain_text("“bad” could not be loaded")


def test_a_newer_version_answers_from_then_on(visit, gallery_folder, free_port, tmp_path):
    base = tmp_path / "base"
    shutil.copytree(gallery_folder, base)
    options = ServerOptions(str(base), model_name="flowers", file_system_poll_wait_seconds=0.05)
    with running_server(options, port=free_port) as url:
        page = visit(url)
        wait_until(page, "ready")
        gallery_model.save(tmp_path / "staged", classes=["teal", "plum"])
        (tmp_path / "staged").rename(base / "13")
        wait_for_end(url, "flowers")
        # The page may not know of it yet.
        choose(page, ("lime.png", LIME))
        found = answered(page, "lime.png")
        assert found == expected(url, LIME)  # ten: the gallery has no more
        assert len(found) == 10 and {tile["name"] for tile in found} == {"teal", "plum"}
        expect(page.locator("#results-text")).to_contain_text("10 nearest images of version 13")
        expect(page.locator("#version")).to_have_text("version 13")
        expect(page.locator("#more")).to_be_hidden()


@pytest.fixture(scope="module")
def several(gallery_folder, add_folder, tmp_path_factory) -> Iterator[str]:
    """The URL of a server of three models, of which one finds no images."""
    folder = tmp_path_factory.mktemp("several")
    gallery_model.save(folder / "bare" / "5", thumbnails=False)
    config = folder / "models.config"
    models = {"flowers": gallery_folder, "a/b: ü": folder / "bare", "add": add_folder}
    entries = (f'config {{ name: "{n}" base_path: "{p}" }}' for n, p in models.items())
    config.write_text(f"model_config_list {{ {' '.join(entries)} }}")
    with running_server(ServerOptions(model_config_file=str(config))) as url:
        yield url


class TestSeveralModels:
    def test_a_choice_which_keeps_the_photo(self, visit, several):
        page = visit(several)
        wait_until(page, "ready")
        choice = page.get_by_label("Model", exact=True)
        assert choice.evaluate("c => [...c.options].map(o => o.value)") == [
            "flowers",
            "a/b: ü",
            "add",
        ]
        choose(page, ("lime.png", LIME))
        assert answered(page, "lime.png") == expected(several, LIME)[:12]
        choice.select_option("a/b: ü")
        expect(page.locator("#version")).to_have_text("version 5")
        expect(page.locator("#results-text")).to_contain_text("of version 5")
        # It has no thumbnails: names and scores are shown, and nothing can be searched from.
        expect(page.locator(".picture.waiting")).to_have_count(0)
        expect(page.locator(".tile").first).to_have_attribute("aria-disabled", "true")
        expect(page.locator(".tile img")).to_have_count(0)
        page.reload()
        wait_until(page, "ready")
        assert choice.input_value() == "a/b: ü"

    def test_one_that_is_no_similarity_model(self, visit, several):
        page = visit(f"{several}/?model=add")
        wait_until(page, "other")
        expect(page.locator("#notice")).to_contain_text("“add” is not a similarity model: its")

    def test_one_that_is_not_there(self, visit, several):
        page = visit(f"{several}/page/?model=roses")
        wait_until(page, "missing")
        expect(page.locator("#notice")).to_contain_text("has no model “roses”")
        page.get_by_label("Model", exact=True).select_option("flowers")
        wait_until(page, "ready")


def test_a_photo_larger_than_the_server_allows(visit, gallery_folder):
    options = ServerOptions(str(gallery_folder), model_name="flowers", max_request_bytes=10_000)
    with running_server(options) as url:
        page = visit(url)
        wait_until(page, "ready")
        choose(page, ("lime.png", encoded(picture(colour(2, 1), (300, 200)), "png")))
        problem = page.locator("#problem")
        expect(problem).to_contain_text("“lime.png” is larger than the server allows")


class TestRequestsThatFail:
    @pytest.fixture
    def page(self, visit, server):
        page = visit(server)
        wait_until(page, "ready")
        return page

    def test_are_not_repeated_for_ever(self, page):
        asked = []

        def fail(route) -> None:
            asked.append(route.request.url)
            route.abort("connectionreset")

        page.route("**:predict", fail)
        choose(page, ("lime.png", LIME))
        expect(page.locator("#problem")).to_contain_text("“lime.png” cannot be searched")
        page.wait_for_timeout(500)
        assert len(asked) == 3

    @pytest.mark.parametrize("status", [429, 503, 504])
    def test_a_busy_server(self, page, server, status):
        body = {"error": "all threads are busy"}
        page.route("**:predict", lambda route: route.fulfill(status=status, json=body))
        choose(page, ("lime.png", LIME))
        problem = page.locator("#problem")
        expect(problem).to_have_text(
            "The server is too busy: all threads are busy. Try again in a moment."
        )
        page.unroute("**:predict")
        choose(page, ("lime.png", LIME))
        assert answered(page, "lime.png") == expected(server, LIME)[:12]

    def test_thumbnails_that_fail_leave_the_rest(self, page, server):
        def fail(route) -> None:
            if "thumbnail" in route.request.post_data:
                route.fulfill(status=400, json={"error": "not in the gallery"})
            else:
                route.continue_()

        page.route("**:predict", fail)
        choose(page, ("lime.png", LIME))
        assert answered(page, "lime.png") == expected(server, LIME)[:12]
        problem = page.locator("#problem")
        expect(problem).to_have_text("The images cannot be shown: not in the gallery")
