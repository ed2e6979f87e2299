"""The page's URLs, over a real socket and without a browser."""

from __future__ import annotations

import pathlib
import re
import socket

import httpx
import pytest

from serving import page_routes
from serving.model_server import ServerOptions, running_server

FILES = {path.name: path for path in page_routes.FOLDER.iterdir()}
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@pytest.mark.parametrize("name", sorted(FILES))
def test_every_file_of_the_folder(zoo, name):
    response = zoo.get(f"/page/{name}")
    assert response.status_code == 200
    assert response.content == FILES[name].read_bytes()
    assert response.headers["content-type"] == TYPES[pathlib.Path(name).suffix]
    assert response.headers["x-content-type-options"] == "nosniff"
    assert "connect-src 'self';" in response.headers["content-security-policy"]
    assert "unsafe" not in response.headers["content-security-policy"]


def test_the_folder_is_the_page(zoo):
    assert zoo.get("/page/").content == FILES["index.html"].read_bytes()
    assert zoo.head("/page/").headers["content-length"] == str(FILES["index.html"].stat().st_size)


@pytest.mark.parametrize(
    ("path", "place"), [("/", "page/"), ("/page", "page/"), ("/?model=a%2Fb", "page/?model=a%2Fb")]
)
def test_the_root_leads_there(zoo, path, place):
    response = zoo.get(path)
    # Relative, so that it holds behind a proxy that puts a prefix before it.
    assert (response.status_code, response.headers["location"]) == (307, place)
    assert zoo.get(path, follow_redirects=True).text.startswith("<!doctype html>")


@pytest.mark.parametrize("head", ["Host: [", "Host: a]:b"])
def test_it_does_whatever_the_host_is_called(zoo, head):
    with socket.create_connection((zoo.base_url.host, zoo.base_url.port), 20) as connection:
        connection.sendall(f"GET /?a=%5B HTTP/1.1\r\n{head}\r\n\r\n".encode())
        answer = connection.recv(1000)
    assert answer.startswith(b"HTTP/1.1 307 ") and b"location: page/?a=%5B\r\n" in answer


def test_a_browser_asks_again_and_is_told_that_nothing_changed(zoo):
    first = zoo.get("/page/style.css")
    assert first.headers["cache-control"] == "no-cache"
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = zoo.get("/page/style.css", headers={"If-None-Match": known})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert zoo.get("/page/style.css", headers={"If-None-Match": '"other"'}).status_code == 200
    assert zoo.get("/page/page.js").headers["etag"] != tag


def test_the_models(zoo):
    response = zoo.get("/page/models.json")
    assert response.json() == {"models": ["zoo"], "api": "../"}
    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["/page/nope.js", "/page/../serving/options.py", "/page/%2e%2e/options.py", "/Page/"]
)
def test_nothing_else(zoo, path):
    assert zoo.get(path).status_code == 404


@pytest.mark.parametrize("path", ["/", "/page/", "/page/page.js", "/page/models.json"])
def test_other_verbs_are_answered_as_ever(zoo, path):
    for method in ("POST", "PUT", "DELETE"):
        response = zoo.request(method, path)
        assert (response.status_code, response.text) == (404, "Not Found")


def test_it_can_be_left_off(add_folder):
    options = ServerOptions(str(add_folder), model_name="add", enable_page=False)
    with running_server(options) as url:
        for path in ("/", "/page", "/page/", "/page/page.js", "/page/models.json"):
            response = httpx.get(url + path)
            assert (response.status_code, response.text) == (404, "Not Found")
        assert httpx.get(f"{url}/v1/models/add").is_success


def test_the_page_names_no_other_host_and_nothing_that_the_policy_forbids():
    for name, path in FILES.items():
        text = path.read_text("utf-8")
        hosts = set(re.findall(r"https?://[\w.:-]+\w", text))
        assert hosts <= {"http://127.0.0.1:8501", "http://www.w3.org"}, name
        assert not re.search(r"innerHTML|outerHTML|document\.write|\beval\(|new Function", text)
    html = FILES["index.html"].read_text("utf-8")
    assert not re.search(r"\son\w+=|style=|<style|<script>", html)
    linked = re.findall(r'(?:src|href)="([^"#]+)"', html)
    assert set(linked) == set(FILES) - {"index.html"}
