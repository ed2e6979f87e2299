"""What the documentation's snippets ask of others: files on the web, an endpoint of Vertex AI."""

from __future__ import annotations

import contextlib
import functools
import http.server
import pathlib
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@contextlib.contextmanager
def files(folder: pathlib.Path) -> Iterator[str]:
    """Serves a folder's files; gives the URL."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def ask_endpoint(code: str, model: str) -> tuple[Any, Any]:
    """Runs a snippet that asks an endpoint, with a model server in the endpoint's place.

    The class has the real one's signatures; what it is given goes to the server as Vertex AI would
    pass it on: instances in a body of their own, a raw body with its headers as they are.

    Args:
        code: The snippet.
        model: The model's URL, `…/v1/models/NAME`.

    Returns:
        The last two answers: predictions, and the JSON of the raw one.
    """
    import httpx
    from google.cloud import aiplatform

    answers: list[Any] = []

    def predict(instances: list[Any], *_: Any, **__: Any) -> Any:
        answer = httpx.post(f"{model}:predict", json={"instances": instances}, timeout=60)
        answers.append(answer.raise_for_status().json()["predictions"])
        return SimpleNamespace(predictions=answers[-1])

    def raw_predict(body: bytes, headers: dict[str, str], *_: Any, **__: Any) -> Any:
        answer = httpx.post(f"{model}:predict", content=body, headers=headers, timeout=60)
        answers.append(answer.raise_for_status().json())
        return answer

    endpoint = mock.create_autospec(aiplatform.Endpoint)
    endpoint.return_value.predict.side_effect = predict
    endpoint.return_value.raw_predict.side_effect = raw_predict
    with mock.patch.object(aiplatform, "Endpoint", endpoint):
        exec(compile(code, "snippet", "exec"), {"__name__": "snippet"})
    predictions, raw = answers
    return predictions, raw
