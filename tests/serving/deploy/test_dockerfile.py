"""The embedded server's Dockerfile: what it installs is what the server imports, as locked.

It is not built here.
"""

from __future__ import annotations

import ast
import json
import re
import sys

from serving.options import parse_flags
from serving.side_routes import READINESS
from tests.serving.deploy.deploy_files import DEPLOY, ROOT

FOLDER = DEPLOY / "embedded"
TEXT = re.sub(r"\\\n\s*", "", (FOLDER / "Dockerfile").read_text("utf-8"))
LINES = [line for line in TEXT.splitlines() if line and not line.startswith("#")]
INSTRUCTIONS = [line.split(" ", 1) for line in LINES]
# Where a package's name is not that of its module.
MODULES = {"google": "protobuf", "grpc": "grpcio", "tensorflow_serving": "tensorflow-serving-api"}


def instructions(name: str) -> list[str]:
    return [rest for instruction, rest in INSTRUCTIONS if instruction == name]


def test_it_installs_what_the_server_imports():
    (install,) = instructions("RUN")
    match = re.fullmatch(
        r"pip install --no-cache-dir --constraint requirements\.lock +([\w -]+)", install
    )
    assert match is not None
    imported = set()
    for path in (ROOT / "serving").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported.add(node.module.partition(".")[0])
    third_party = imported - set(sys.stdlib_module_names) - {"serving"}
    assert {MODULES.get(name, name) for name in third_party} == set(match[1].split())


def test_the_lock_is_of_its_python_and_a_constraint_file():
    (image,) = instructions("FROM")
    version = re.match(r"python:(\d)\.(\d+)-slim", image)
    assert version is not None
    (lock, _), (code, _) = (rest.split() for rest in instructions("COPY"))
    assert lock.endswith(f"-py{version[1]}{version[2]}.lock")
    for line in (ROOT / lock).read_text("utf-8").splitlines():
        # pip takes no extras in constraints.
        assert line.startswith("#") or re.fullmatch(r"[\w.-]+==\S+", line), line
    sent = (FOLDER / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert f"!{lock}" in sent and f"!{code.rstrip('/')}" in sent


def test_it_starts_the_server_on_every_network_of_the_container():
    (entry,), (command,) = instructions("ENTRYPOINT"), instructions("CMD")
    program, module = json.loads(entry)[:3], json.loads(entry)[3:]
    assert program == ["python", "-m", "serving.model_server"]
    options = parse_flags([*module, *json.loads(command)])
    assert options.rest_api_host == "0.0.0.0"
    assert instructions("EXPOSE") == [f"{options.port} {options.rest_api_port}"]
    (health,) = instructions("HEALTHCHECK")
    assert f"http://127.0.0.1:{options.rest_api_port}{READINESS}" in health
    code = json.loads(health.partition("CMD ")[2])[2]
    compile(code, "health check", "exec")
    (user,) = instructions("USER")
    assert int(user.partition(":")[0]) > 0
