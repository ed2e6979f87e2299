"""Requests that want what is not theirs: files, the server's paths, and connections for ever.

Over raw sockets, since HTTP clients tidy paths up. Random damage is in `test_fuzz.py`, what is too
large or takes too long in `test_request_limits.py`.
"""

from __future__ import annotations

import json
import pathlib
import re
import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from serving import options, page_routes
from serving.model_server import ServerOptions, running_server, serving_apis

SECRET = "what no client may read"
# Of a connection without a request, in seconds.
LIMIT = 1.5


@pytest.fixture(scope="module")
def folder(zoo_folder, tmp_path_factory) -> pathlib.Path:
    """Two models, one of which cannot be loaded in its newest version, with a secret beside."""
    found: pathlib.Path = tmp_path_factory.mktemp("private")
    (found / "secret.txt").write_text(SECRET)
    (found / "zoo").symlink_to(zoo_folder)
    (found / "broken" / "2").mkdir(parents=True)
    (found / "broken" / "1").symlink_to(zoo_folder / "7")
    (found / "broken" / "2" / "saved_model.pb").write_bytes(b"no model at all")
    (found / "models.config").write_text(
        "model_config_list {\n"
        + "".join(f'config {{ name: "{n}" base_path: "{found / n}" }}\n' for n in ("zoo", "broken"))
        + "}"
    )
    return found


@pytest.fixture(scope="module")
def port(folder) -> Iterator[int]:
    """Of a server of both."""
    with running_server(
        ServerOptions(
            model_config_file=str(folder / "models.config"),
            max_num_load_retries=0,
            rest_api_timeout_in_ms=int(LIMIT * 1000),
        )
    ) as url:
        yield int(url.rpartition(":")[2])


def ask(port: int, target: bytes, verb: bytes = b"GET", body: bytes = b"") -> tuple[int, bytes]:
    """Status and body of the answer to just this target, as it is written here."""
    head = b"%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(head % (verb, target, len(body)) + body)
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    head, _, content = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), content


UP = ["..", "%2e%2e", "%2E.", "%252e%252e", "..%00", "%c0%ae%c0%ae", "..;", "....//..", "..%5c.."]
SLASHES = ["/", "%2f", "%252f", "\\", "%5c"]
STARTS = [
    "/",
    "/page",
    "/page/models.json",
    "/v1/models",
    "/v1/models/zoo/versions",
    "/v1/models/zoo",
]


@pytest.mark.parametrize("up", UP)
@pytest.mark.parametrize("start", STARTS)
def test_no_path_leads_to_a_file(port, folder, start, up):
    for slash in SLASHES:
        for ending in ("secret.txt", "models.config", "etc/passwd", "zoo/7/saved_model.pb"):
            for levels in (1, 2, 8):
                target = start + "/" + slash.join([*[up] * levels, *ending.split("/")])
                status, body = ask(port, target.encode("latin-1"))
                assert status in (400, 404), target
                assert SECRET.encode() not in body and b"root:" not in body
                assert str(folder).encode() not in body


@pytest.mark.parametrize(
    "target",
    [
        "{folder}/secret.txt",
        "/page/{folder}/secret.txt",
        "/page//{folder}/secret.txt",
        "file://{folder}/secret.txt",
        "http://127.0.0.1{folder}/secret.txt",
        "//{folder}/secret.txt",
        "/v1/models/{folder}",
        "/v1/models/{encoded}%2Fzoo",
        "/v1/models/zoo/labels/{encoded}%2Fsecret.txt/metadata",
        "/v1/models/..%2Fzoo",
        "/v1/models/zoo%00",
        "/v1/models/zoo/versions/../7",
        "/v1/models/zoo/versions/7%2F..",
        "/v1/models/zoo/versions/007%20",
        "/v1/models/zoo/versions/+7",
        "/v1/models/zoo/versions/0x7",
    ],
)
def test_names_are_not_paths(port, folder, target):
    asked = target.format(folder=folder, encoded=str(folder).replace("/", "%2F")).encode()
    for verb, ending, body in ((b"GET", b"", b""), (b"POST", b":predict", b'{"instances": [1]}')):
        status, content = ask(port, asked + ending, verb, body)
        assert status in (400, 404), (asked, content)
        assert SECRET.encode() not in content


def test_the_pages_folder_is_all_there_is_of_files(port):
    for path in pathlib.Path(page_routes.__file__).parent.iterdir():
        if path.is_file():
            assert ask(port, f"/page/{path.name}".encode())[0] == 404
            assert ask(port, f"/page/..%2f{path.name}".encode())[0] == 404


def test_a_version_that_cannot_be_loaded_does_not_tell_where_it_is(port, folder):
    status, body = ask(port, b"/v1/models/broken")
    assert status == 200
    (broken,) = [one for one in json.loads(body)["model_version_status"] if one["version"] == "2"]
    assert broken["state"] == "END" and "version 2" in broken["status"]["error_message"]
    assert str(folder).encode() not in body and b"/" not in body


@pytest.mark.parametrize(
    ("target", "body"),
    [
        (b"/v1/models/nope:predict", b'{"instances": [1]}'),
        (b"/v1/models/broken/versions/2:predict", b'{"instances": [1]}'),
        (b"/v1/models/zoo:predict", b"{"),
        (b"/v1/models/zoo:predict", b'{"signature_name": "positive", "instances": [-1.0]}'),
        (b"/v1/models/zoo:predict", b'{"signature_name": "nope", "instances": [-1.0]}'),
        (b"/v1/models/zoo:predict", b'{"instances": [[[["x"]]]]}'),
        (b"/v1/models/zoo:classify", b'{"examples": [{"x": 1}]}'),
    ],
)
def test_errors_tell_nothing_of_the_machine(port, folder, target, body):
    status, content = ask(port, target, b"POST", body)
    assert status in (400, 404)
    assert not re.search(rb"Traceback|\.py\b|site-packages|line \d+, in ", content)
    assert str(folder).encode() not in content and str(pathlib.Path.home()).encode() not in content


def test_this_machine_alone_is_listened_to_unless_told_otherwise():
    assert ServerOptions().rest_api_host == "127.0.0.1"
    assert options.parse_flags(["--model_base_path=x"]).rest_api_host == "127.0.0.1"


def test_grpc_listens_where_rest_does(folder):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        free = probe.getsockname()[1]
    with serving_apis(ServerOptions(str(folder / "zoo")), grpc_port=free) as found:
        assert found.grpc_address == f"127.0.0.1:{free}"


def test_pages_of_other_origins_are_not_allowed_to_read(port):
    answers = [
        httpx.request(
            verb,
            f"http://127.0.0.1:{port}/v1/models/zoo{ending}",
            headers={"Origin": "http://elsewhere", "Access-Control-Request-Method": "POST"},
            content=b'{"instances": [1.0]}' if verb == "POST" else None,
        )
        for verb, ending in (("GET", ""), ("POST", ":predict"), ("OPTIONS", ":predict"))
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 400]
    for answer in answers:
        assert not [name for name in answer.headers if name.startswith("access-control")]


class TestConnections:
    """A client who sends no request, or takes no answer, keeps no connection."""

    def ends(self, connection: socket.socket, within: float) -> bool:
        """Whether the server ends it, and neither at once."""
        begun = time.monotonic()
        connection.settimeout(20)
        try:
            while connection.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return LIMIT / 2 < time.monotonic() - begun < within

    def test_nothing_is_sent(self, port):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            assert self.ends(connection, within=10)

    def test_a_head_that_comes_byte_by_byte(self, port):
        begun = time.monotonic()
        with (
            socket.create_connection(("127.0.0.1", port), timeout=20) as connection,
            pytest.raises((BrokenPipeError, ConnectionResetError)),
        ):
            for byte in b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 1000:
                connection.sendall(bytes([byte]))
                time.sleep(0.05)
        assert LIMIT / 2 < time.monotonic() - begun < 15

    def test_the_head_of_a_second_request(self, port):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /hea")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
            assert self.ends(connection, within=10)

    def test_a_body_that_nobody_asked_for(self, port):
        """What was answered without it does not wait for it."""
        begun = time.monotonic()
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
            with pytest.raises((BrokenPipeError, ConnectionResetError)):
                for _ in range(1000):
                    connection.sendall(b"x")
                    time.sleep(0.05)
        assert time.monotonic() - begun < 15

    def test_an_answer_that_is_not_taken(self, port):
        """It is larger than what the system keeps of it."""
        text = "x" * 8_000_000
        body = json.dumps({"signature_name": "strings", "inputs": [text]}).encode()
        head = b"POST /v1/models/zoo:predict HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
        with socket.socket() as connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 10_000)
            connection.settimeout(20)
            connection.connect(("127.0.0.1", port))
            connection.sendall(head % len(body) + body)
            time.sleep(LIMIT * 4)
            received = 0
            try:
                while chunk := connection.recv(2**20):
                    received += len(chunk)
            except ConnectionResetError:
                pass
            assert received < len(text)

    def test_whoever_asks_again_in_time_is_answered(self, port):
        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            for _ in range(4):
                assert client.get("/healthz").status_code == 200
                time.sleep(LIMIT * 0.6)


def test_a_shorter_limit_leaves_time_to_ask(folder):
    """A request is answered that it took too long, where its connection is not just cut."""
    options = ServerOptions(str(folder / "zoo"), model_name="zoo", rest_api_timeout_in_ms=1)
    with (
        running_server(options) as url,
        socket.create_connection(
            ("127.0.0.1", int(url.rpartition(":")[2])), timeout=20
        ) as connection,
    ):
        time.sleep(0.3)
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
