"""Serves an API of these tests over HTTP or HTTPS, in threads of this process."""

from __future__ import annotations

import contextlib
import http.server
import ssl
import threading
from collections.abc import Iterator
from typing import Protocol

from tests.object_store.storage_api import Answer, Request, parse


class Api(Protocol):
    """What is served."""

    def answer(self, request: Request) -> Answer:
        """Answers one request; several at once."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body of an answer are two writes: without this, each waits for the other's receipt.
    disable_nagle_algorithm = True
    api: Api
    scheme: str

    def _answer(self) -> None:
        headers = {key.lower(): value for key, value in self.headers.items()}
        if headers.get("transfer-encoding") == "chunked":
            body = self._chunks()
        else:
            body = self.rfile.read(int(headers.get("content-length", 0)))
        headers["x-base-url"] = f"{self.scheme}://{headers.get('host', '')}"
        answer = self.api.answer(parse(self.command, self.path, headers, body))
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _answer  # noqa: N815

    def _chunks(self) -> bytes:
        content = b""
        while size := int(self.rfile.readline().strip(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def log_message(self, format: str, *args: object) -> None:
        """Keeps quiet."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@contextlib.contextmanager
def serve(
    api: Api,
    *,
    address: str = "127.0.0.1",
    port: int = 0,
    certificate: tuple[str, str] | None = None,
) -> Iterator[int]:
    """Serves while the context lasts; yields the port.

    Args:
        api: What answers.
        address: Where.
        port: Where; 0 for any that is free.
        certificate: Files of a certificate and its key, for HTTPS.
    """
    scheme = "https" if certificate else "http"
    handler = type("Handler", (_Handler,), {"api": api, "scheme": scheme})
    server = _Server((address, port), handler)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        # Handshakes happen in the threads: an idle connection must not stop the others.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
