"""Probes, and what web pages of other origins may do."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import httpx
import pytest
from starlette.applications import Starlette

from serving import side_routes
from serving.model_server import ServerOptions, running_server
from serving.side_routes import LIVENESS, READINESS


class Unready:
    """Stands in for the models: which of them are not ready."""

    def __init__(self, *names: str) -> None:
        self.names = list(names)

    def unready(self) -> list[str]:
        return self.names


def probe(
    path: str, models: Unready, stopping: bool = False, method: str = "GET"
) -> httpx.Response:
    routes = side_routes.health_routes(models, lambda: stopping)  # type: ignore[arg-type]

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(Starlette(routes=routes))
        async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
            return await client.request(method, path)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("models", "stopping", "status", "body"),
    [
        (Unready(), False, 200, {"status": "ready"}),
        (Unready("a", "b"), False, 503, {"status": "loading", "models": ["a", "b"]}),
        (Unready(), True, 503, {"status": "stopping"}),
        (Unready("a"), True, 503, {"status": "stopping"}),
    ],
)
def test_readiness(models, stopping, status, body):
    response = probe(READINESS, models, stopping)
    assert (response.status_code, response.json()) == (status, body)


@pytest.mark.parametrize("stopping", [False, True])
def test_liveness_is_as_long_as_the_process_lives(stopping):
    response = probe(LIVENESS, Unready("a"), stopping)
    assert (response.status_code, response.json()) == (200, {"status": "alive"})


@pytest.mark.parametrize("path", [LIVENESS, READINESS])
def test_head_is_enough_for_a_probe(path):
    response = probe(path, Unready(), method="HEAD")
    assert (response.status_code, response.content) == (200, b"")


class TestServer:
    def test_ready_once_a_version_is_loaded_and_not_before(self, push, tmp_path):
        def serve() -> None:
            options = ServerOptions(
                str(tmp_path), model_name="add", file_system_poll_wait_seconds=0.05
            )
            with running_server(options, port=free_port):
                stop.wait(60)

        with socket.create_server(("127.0.0.1", 0)) as found:
            free_port = found.getsockname()[1]
        stop = threading.Event()
        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{free_port}"
        try:
            until(lambda: status(url + LIVENESS) == 200)
            response = httpx.get(url + READINESS)
            assert response.status_code == 503
            assert response.json() == {"status": "loading", "models": ["add"]}
            push(tmp_path, 1)
            until(lambda: status(url + READINESS) == 200)
            assert httpx.post(f"{url}/v1/models/add:predict", json={"instances": [1]}).is_success
        finally:
            stop.set()
            thread.join()

    def test_not_ready_where_the_only_version_cannot_be_loaded(self, tmp_path):
        config = tmp_path / "models.config"
        config.write_text("model_config_list {}")
        options = ServerOptions(
            model_config_file=str(config), model_config_file_poll_wait_seconds=0.05
        )
        (tmp_path / "base" / "1").mkdir(parents=True)
        (tmp_path / "base" / "1" / "saved_model.pb").write_bytes(b"no model")
        with running_server(options) as url:
            assert status(url + READINESS) == 200
            config.write_text(
                f'model_config_list {{ config {{ name: "m" base_path: "{tmp_path}/base" }} }}'
            )
            until(lambda: status(url + READINESS) == 503)
            assert httpx.get(url + READINESS).json()["models"] == ["m"]
            assert status(url + LIVENESS) == 200


def status(url: str) -> int | None:
    try:
        return httpx.get(url).status_code
    except httpx.ConnectError:
        return None


def until(condition) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


class TestCors:
    PREFLIGHT = {
        "Origin": "https://page.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "Content-Type",
    }

    @pytest.fixture(scope="class")
    def open_url(self, add_folder):
        options = ServerOptions(
            str(add_folder), model_name="add", rest_api_enable_cors_support=True
        )
        with running_server(options) as url:
            yield url

    def test_a_page_may_ask(self, open_url):
        response = httpx.post(
            f"{open_url}/v1/models/add:predict",
            json={"instances": [1.0]},
            headers={"Origin": "https://page.example"},
        )
        assert response.json() == {"predictions": [5.0]}
        assert response.headers["access-control-allow-origin"] == "*"

    def test_and_may_read_errors(self, open_url):
        response = httpx.get(
            f"{open_url}/v1/models/nope", headers={"Origin": "https://page.example"}
        )
        assert response.status_code == 404
        assert response.headers["access-control-allow-origin"] == "*"

    def test_the_browsers_question_before(self, open_url):
        response = httpx.options(f"{open_url}/v1/models/add:predict", headers=self.PREFLIGHT)
        assert response.status_code == 200
        assert response.headers["access-control-allow-origin"] == "*"
        allowed = response.headers["access-control-allow-methods"].replace(" ", "").split(",")
        assert {"GET", "POST"} <= set(allowed) and "DELETE" not in allowed
        assert "content-type" in response.headers["access-control-allow-headers"].lower()

    def test_other_verbs_are_not_allowed(self, open_url):
        headers = {**self.PREFLIGHT, "Access-Control-Request-Method": "DELETE"}
        response = httpx.options(f"{open_url}/v1/models/add:predict", headers=headers)
        assert response.status_code == 400

    def test_credentials_are_not(self, open_url):
        response = httpx.get(
            f"{open_url}/v1/models/add", headers={"Origin": "https://page.example"}
        )
        assert "access-control-allow-credentials" not in response.headers

    def test_by_default_no_page_may(self, zoo):
        response = zoo.options("/v1/models/zoo:predict", headers=self.PREFLIGHT)
        assert response.status_code == 400
        response = zoo.get("/v1/models/zoo", headers={"Origin": "https://page.example"})
        assert "access-control-allow-origin" not in response.headers
