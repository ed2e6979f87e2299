"""Runs a command on a network of its own, where Google's cloud is the servers of these tests.

TensorFlow knows the addresses of Google Cloud Storage by heart. So in a network namespace without
any way out these names lead to the loopback address, where a server answers whose certificate the
command trusts; another one is the metadata server that gives tokens. The command is the unchanged
program, with `gs://` URLs. Needs Linux and the right to make such a namespace (root); `why_not`
says what is amiss.

As a program, inside the namespace: `python -m tests.object_store.private_cloud FOLDER COMMAND…`.
"""

from __future__ import annotations

import datetime
import functools
import ipaddress
import json
import os
import pathlib
import shutil
import subprocess
import sys
from collections.abc import Sequence

from tests.object_store import metadata_api
from tests.object_store.buckets import Buckets
from tests.object_store.server import serve
from tests.object_store.storage_api import StorageApi

BUCKET = "flowers-bucket"
_HOSTS = ("www.googleapis.com", "storage.googleapis.com")
_NAMESPACE = ("unshare", "--net", "--mount")
_LOG = "log.json"
_MODULE = "tests.object_store.private_cloud"
_ROOT = pathlib.Path(__file__).resolve().parents[2]


@functools.cache
def why_not() -> str | None:
    """Why no command can be run here; None if it can."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return "needs Linux with the programs unshare and ip"
    attempt = "ip link set lo up && mount --bind /etc/hosts /etc/hosts"
    tried = subprocess.run([*_NAMESPACE, "sh", "-c", attempt], capture_output=True, text=True)
    if tried.returncode:
        return f"may make no network namespace (needs root): {tried.stderr.strip()}"
    return None


def run(
    command: Sequence[str],
    folder: pathlib.Path,
    *,
    timeout: float,
) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Runs a command beside an empty bucket, `BUCKET`.

    Args:
        command: The program and its arguments.
        folder: Where it runs, and where the certificate and the log of the bucket go.
        timeout: Seconds.

    Returns:
        How it ended, and what it did in the bucket (`StorageApi.log`).
    """
    finished = subprocess.run(
        [*_NAMESPACE, sys.executable, "-m", _MODULE, str(folder), *command],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    return finished, json.loads((folder / _LOG).read_text("utf-8"))


def _inside(folder: pathlib.Path, command: Sequence[str]) -> int:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    metadata = metadata_api.ADDRESS
    subprocess.run(["ip", "address", "add", f"{metadata}/32", "dev", "lo"], check=True)
    hosts = folder / "hosts"
    names = f"127.0.0.1 localhost {' '.join(_HOSTS)}\n{metadata} {metadata_api.HOST}\n"
    hosts.write_text(names, "ascii")
    subprocess.run(["mount", "--bind", str(hosts), "/etc/hosts"], check=True)
    certificate = _certificate(folder)
    trusted = dict.fromkeys(
        ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"), certificate[0]
    )
    own = {"GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG", "HOME"}
    variables = {key: value for key, value in os.environ.items() if key not in own}
    # No credentials of whoever runs the tests.
    variables |= {**trusted, "HOME": str(folder), "PYTHONPATH": str(_ROOT)}
    api = StorageApi(Buckets(BUCKET), token=metadata_api.TOKEN)
    with (
        serve(api, port=443, certificate=certificate),
        serve(metadata_api.MetadataApi(), address=metadata, port=80),
    ):
        code = subprocess.run(command, env=variables, cwd=folder).returncode
    (folder / _LOG).write_text(json.dumps(api.log), "utf-8")
    return code


def _certificate(folder: pathlib.Path) -> tuple[str, str]:
    """Makes a certificate that is its own authority; returns its file and its key's."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a bucket for tests")])
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [x509.DNSName(host) for host in (*_HOSTS, "localhost")]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName(
                [*names, x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    certificate, secret = folder / "certificate.pem", folder / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(certificate), str(secret)


if __name__ == "__main__":
    sys.exit(_inside(pathlib.Path(sys.argv[1]), sys.argv[2:]))
