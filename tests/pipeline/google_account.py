"""A service account that exists nowhere, and the server that signs it in."""

from __future__ import annotations

import contextlib
import http.server
import json
import pathlib
import threading
from collections.abc import Iterator

TOKEN = "token-of-the-tests"
EMAIL = "ci@key-project.iam.gserviceaccount.com"


@contextlib.contextmanager
def sign_in_server(*, refusal: str | None = None) -> Iterator[str]:
    """Serves OAuth tokens; `refusal` is the error that it answers instead."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # noqa: N802
            self.rfile.read(int(self.headers["Content-Length"]))
            granted = {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}
            refused = {"error": refusal, "error_description": f"{refusal}: not any more"}
            self.send_response(400 if refusal else 200)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(refused if refusal else granted).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/token"
    finally:
        server.shutdown()
        server.server_close()


def write_key(path: pathlib.Path, token_url: str) -> pathlib.Path:
    """Writes the account's key, which says where it is signed in."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = {
        "type": "service_account",
        "project_id": "key-project",
        "private_key": key.decode(),
        "client_email": EMAIL,
        "token_uri": token_url,
    }
    path.write_text(json.dumps(account), "utf-8")
    return path
