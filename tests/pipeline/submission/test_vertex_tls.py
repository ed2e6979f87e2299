"""The connection itself: TLS to the endpoint that was said, and a token with every call."""

from __future__ import annotations

import datetime
import ipaddress
import os
import pathlib
import subprocess
import sys
from concurrent import futures
from typing import Any

import grpc
import pytest

from tests.pipeline.google_account import TOKEN


def certificate(folder: pathlib.Path) -> tuple[bytes, bytes]:
    """A key and a certificate of its own for localhost, as PEM."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    (folder / "ca.pem").write_bytes(pem)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private, pem


class Listing(grpc.GenericRpcHandler):
    """Answers every call with nothing, and keeps what came with it."""

    def __init__(self) -> None:
        self.metadata: list[dict[str, Any]] = []

    def service(self, details: Any) -> Any:
        self.metadata.append(dict(details.invocation_metadata))
        return grpc.unary_unary_rpc_method_handler(lambda request, context: b"")


@pytest.mark.extended
def test_calls_are_encrypted_and_signed_in(tmp_path: pathlib.Path, service_account: pathlib.Path):
    handler = Listing()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((handler,))
    port = server.add_secure_port(
        "localhost:0", grpc.ssl_server_credentials([certificate(tmp_path)])
    )
    server.start()
    command = ["jobs", "list", "--project", "my-project", "--region", "europe-west4"]
    endpoint = ["--api-endpoint", f"localhost:{port}"]
    environment = os.environ | {
        "GOOGLE_APPLICATION_CREDENTIALS": str(service_account),
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(tmp_path / "ca.pem"),
    }
    try:
        subprocess.run(
            [sys.executable, "-m", "pipeline.cli", *command, *endpoint],
            env=environment,
            check=True,
            timeout=120,
        )
    finally:
        server.stop(None).wait()
    (sent,) = handler.metadata
    assert sent["authorization"] == f"Bearer {TOKEN}"
    assert "projects/my-project/locations/europe-west4" in sent["x-goog-request-params"].replace(
        "%2F", "/"
    )
