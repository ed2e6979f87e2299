"""The README's commands, a shell to run them, and a server of what they have made."""

from __future__ import annotations

import contextlib
import pathlib
import re
import signal
import socket
import subprocess
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).resolve().parents[2]


def readme() -> str:
    return (ROOT / "README.md").read_text("utf-8")


def commands() -> set[str]:
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", readme(), re.MULTILINE | re.DOTALL)
    shell = [block for kind, block in blocks if not kind]
    lines = [line.partition("#")[0].strip() for block in shell for line in block.splitlines()]
    return {line for line in lines if re.match(r"(make|\.venv/bin/flowersim) ", line)}


def shell(command: str, cwd: pathlib.Path) -> str:
    """What a command prints once it has succeeded, the progress of runs included."""
    result = subprocess.run(["bash", "-c", command], cwd=cwd, capture_output=True, text=True)
    printed = result.stdout + result.stderr
    assert result.returncode == 0, f"{command}\n{printed}"
    return printed


@contextlib.contextmanager
def served(
    home: pathlib.Path,
    command: str = ".venv/bin/flowersim serve --backend embedded --port {port}",
) -> Iterator[str]:
    """The URL of a server that this command starts; `{port}` stands for a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        ["bash", "-c", f"exec {command.format(port=port)}"],
        cwd=home,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    try:
        log = []
        for line in server.stderr:
            log.append(line)
            if "is available" in line:
                break
        else:
            raise AssertionError("".join(log))
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=30)


def a_gallery_image(home: pathlib.Path) -> tuple[str, str, bytes]:
    """Id, class name and encoded bytes."""
    from pipeline.sample_query import first_image

    (dataset,) = (home / "runs/demo/data/synthetic_flowers").glob("*/*/dataset_info.json")
    return first_image(str(dataset.parent), "train")
