"""Kubeflow Pipelines' REST API over real HTTP, as far as submitting and following goes.

Every pipeline that is sent must parse as the official PipelineSpec.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import ssl
import threading
import urllib.parse
from collections.abc import Iterator
from typing import Any

PREFIX = "/apis/v2beta1/"


class KubeflowServer:
    """What it holds, and what it was asked: method, path without prefix, query, body."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[str, str, dict[str, str], Any]] = []
        self.headers: list[dict[str, str]] = []
        self.experiments: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.recurring: dict[str, dict[str, Any]] = {}
        # What the next looks at a run show, the last one for good.
        self.looks: list[dict[str, Any]] = []
        # Status and body of all answers, but for the check of health if `healthy`.
        self.refusal: tuple[int, str] | None = None
        self.healthy = True

    def bodies(self, path: str) -> list[Any]:
        return [body for method, asked, _, body in self.asked if (method, asked) == ("POST", path)]

    def answer(self, method: str, path: str, query: dict[str, str], body: Any) -> tuple[int, Any]:
        self.asked.append((method, path, query, body))
        kind, _, name = path.partition("/")
        name, _, verb = name.partition(":")
        if self.refusal and not (kind == "healthz" and self.healthy):
            return self.refusal
        if kind == "healthz":
            return 200, {"multi_user": False}
        held = {
            "experiments": self.experiments,
            "runs": self.runs,
            "recurringruns": self.recurring,
        }[kind]
        if method == "POST" and not name:
            return 200, self._made(kind, held, body)
        if method == "GET" and not name:
            return 200, self._listed(kind, held, query)
        if name not in held:
            return 404, {"message": f"{name} not found", "code": 5}
        if method == "DELETE":
            del held[name]
            return 200, {}
        if verb == "terminate":
            held[name]["state"] = "CANCELING"
        elif verb in ("enable", "disable"):
            held[name]["status"] = verb.upper() + "D"
        elif self.looks:
            look = self.looks[0] if len(self.looks) == 1 else self.looks.pop(0)
            return 200, held[name] | look
        return 200, {} if verb else held[name]

    def _made(self, kind: str, held: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        if kind != "experiments":
            _check(body["pipeline_spec"])
            assert body["experiment_id"] in self.experiments
        key = {
            "experiments": "experiment_id",
            "runs": "run_id",
            "recurringruns": "recurring_run_id",
        }[kind]
        identity = f"{kind}-{len(held) + 1}"
        made = body | {key: identity, "created_at": "2026-11-26T10:00:00Z"}
        made |= {"status": "ENABLED"} if kind == "recurringruns" else {}
        held[identity] = made
        return made

    def _listed(self, kind: str, held: dict[str, Any], query: dict[str, str]) -> dict[str, Any]:
        found = list(held.values())
        if kind == "experiments":
            (predicate,) = json.loads(query["filter"])["predicates"]
            found = [one for one in found if one["display_name"] == predicate["stringValue"]]
        # Two on a page.
        start = int(query.get("page_token") or 0)
        size = 2 if kind == "recurringruns" else len(found)
        more = {"next_page_token": str(start + size)} if len(found) > start + size else {}
        name = "recurringRuns" if kind == "recurringruns" else kind
        return {name: found[start : start + size]} | more


def _check(spec: dict[str, Any]) -> None:
    from google.protobuf import json_format
    from kfp.pipeline_spec import pipeline_spec_pb2

    if "pipeline_spec" in spec:
        json_format.ParseDict(spec["platform_spec"], pipeline_spec_pb2.PlatformSpec())
        spec = spec["pipeline_spec"]
    json_format.ParseDict(spec, pipeline_spec_pb2.PipelineSpec())


@contextlib.contextmanager
def kubeflow_server(tls: ssl.SSLContext | None = None) -> Iterator[KubeflowServer]:
    """Serves, with TLS if a context is given."""
    kubeflow = KubeflowServer()

    class Handler(http.server.BaseHTTPRequestHandler):
        def _answer(self) -> None:
            parts = urllib.parse.urlsplit(self.path)
            assert parts.path.startswith(PREFIX)
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else None
            kubeflow.headers.append(dict(self.headers))
            query = dict(urllib.parse.parse_qsl(parts.query))
            status, answer = kubeflow.answer(
                self.command, parts.path.removeprefix(PREFIX), query, body
            )
            content = answer if isinstance(answer, str) else json.dumps(answer)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content.encode())))
            self.end_headers()
            self.wfile.write(content.encode())

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    kubeflow.url = f"http{'s' if tls else ''}://localhost:{server.server_port}"
    try:
        yield kubeflow
    finally:
        server.shutdown()
        server.server_close()
