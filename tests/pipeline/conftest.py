"""Credentials for tests that speak to a Google Cloud of their own."""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator

import pytest


@pytest.fixture(scope="session")
def service_account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[pathlib.Path]:
    """The key file of a service account of the project `key-project`, which can sign in."""
    from tests.pipeline.google_account import sign_in_server, write_key

    with sign_in_server() as url:
        yield write_key(tmp_path_factory.mktemp("account") / "key.json", url)


@pytest.fixture
def google_cloud(
    service_account: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], None]]:
    """Gives `google_cloud(address)`, which sends all calls to Vertex AI to a server without TLS."""
    import grpc

    from pipeline.vertex_ai import clients

    for variable in ("GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_REGION", "CLOUD_ML_REGION"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(service_account))
    clients._credentials.cache_clear()

    def use(address: str) -> None:
        monkeypatch.setattr(clients, "open_channel", lambda *_: grpc.insecure_channel(address))

    yield use
    clients._credentials.cache_clear()
