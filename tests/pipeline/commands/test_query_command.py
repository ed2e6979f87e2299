"""`flowersim query` in its own process against a server of a small model, and what it draws."""

from __future__ import annotations

import base64
import functools
import html.parser
import http.server
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import threading
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from pipeline.query.pictures import terminal_way
from tests.serving.client.conftest import grey, similar_server  # noqa: F401 (a fixture)
from tests.serving.conftest import similar_folder  # noqa: F401 (a fixture)

PROGRAM = [sys.executable, "-m", "pipeline.cli", "query"]


@pytest.fixture
def photos(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder with two photos in a folder each, and what is none."""
    folder = tmp_path / "photos"
    for name, value in (("a/dark.png", 10), ("b/bright.JPG", 190)):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(grey(value, "PNG" if name.endswith("png") else "JPEG"))
    (folder / "notes.txt").write_text("no photo")
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "x.png").write_bytes(b"")
    return folder


@pytest.fixture(params=["rest", "grpc"])
def url(request, similar_server) -> str:  # noqa: F811
    return (
        similar_server.url if request.param == "rest" else f"grpc://{similar_server.grpc_address}"
    )


def query(
    *arguments: object, stdin: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*PROGRAM, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )


def test_a_folder(url: str, photos: pathlib.Path) -> None:
    done = query(photos, "--url", url, "--k", 2, COLUMNS="200")
    assert (done.returncode, done.stderr) == (0, "")
    first, header, nearest, *_ = done.stdout.splitlines()
    assert first == str(photos / "a" / "dark.png")
    assert header.split() == ["rank", "score", "match", "class", "id"]
    assert nearest.split() == ["1", "0.9608", "yes", "rose", "id-0"]
    assert str(photos / "b" / "bright.JPG") in done.stdout and "x.png" not in done.stdout


def test_json(url: str, photos: pathlib.Path) -> None:
    (photos / "c.gif").write_bytes(b"GIF89a")
    done = query(photos, "--url", url, "--k", 1, "--json")
    assert (done.returncode, done.stderr) == (1, "")
    dark, bright, bad = map(json.loads, done.stdout.splitlines())
    assert dark["neighbours"][0]["id"] == "id-0" and bright["neighbours"][0]["label"] == 2
    assert bad.keys() == {"photo", "error"} and bad["error"].startswith(str(photos / "c.gif"))


def test_standard_input(url: str) -> None:
    done = query("-", "--url", url, "--json", "--k", 1, stdin=grey(99))
    answer = json.loads(done.stdout)
    assert answer["photo"] == "standard input"
    assert answer["neighbours"][0] == {
        "rank": 1,
        "id": "id-1",
        "class_name": "tulip",
        "label": 1,
        "score": pytest.approx(254 / 255),
        "is_match": True,
    }


@pytest.fixture
def web(photos: pathlib.Path) -> Iterator[str]:
    """A web server of the photos."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(photos))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_urls(url: str, web: str) -> None:
    good, bad = f"{web}/a/dark.png", f"{web}/missing.png"
    done = query(good, bad, "--url", url, "--json", "--k", 1)
    assert done.returncode == 1
    found, missing = map(json.loads, done.stdout.splitlines())
    assert (found["photo"], found["neighbours"][0]["id"]) == (good, "id-0")
    assert missing == {"photo": bad, "error": f"{bad} answers with HTTP status 404"}


class Images(html.parser.HTMLParser):
    """The pictures of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.pictures: list[Image.Image] = []
        self.words = ""

    def handle_starttag(self, tag, attrs) -> None:
        attributes = dict(attrs)
        assert not attributes.keys() & {"href", "srcset"}, "a page that needs nothing else"
        if tag == "img":
            kind, _, encoded = (attributes["src"] or "").partition(";base64,")
            assert kind == "data:image/jpeg"
            self.pictures.append(Image.open(io.BytesIO(base64.b64decode(encoded))))

    def handle_data(self, data: str) -> None:
        self.words += data


def test_a_page(url: str, photos: pathlib.Path, tmp_path: pathlib.Path) -> None:
    odd = photos / "<b>&.png"
    odd.write_bytes(b"no image")
    sheet = tmp_path / "sheet.html"
    done = query(photos, "--url", url, "--k", 3, "--html", sheet)
    assert (done.returncode, done.stdout) == (1, f"wrote {sheet}\n")
    page = Images()
    page.feed(sheet.read_text("utf-8"))
    shown = [int(np.asarray(picture.convert("L")).mean()) for picture in page.pictures]
    assert shown == [pytest.approx(g, abs=1) for g in (10, 0, 100, 200, 190, 200, 100, 0)]
    assert "müllerröschen" in page.words and str(odd) in page.words
    assert list(tmp_path.glob("*.partial")) == []


def test_a_page_that_cannot_be_written(url: str, photos: pathlib.Path) -> None:
    done = query(photos, "--url", url, "--html", photos / "none" / "sheet.html")
    assert done.returncode == 1 and "none, where the page is to be written" in done.stderr


def test_pictures_in_blocks(url: str, photos: pathlib.Path) -> None:
    done = query(photos / "a", "--url", url, "--k", 3, "--pictures", "always", COLUMNS="80")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stdout.splitlines() if "▀" in line]
    assert len(lines) == 8
    # The upper pixel of the middle of each tile: the photo, and what it found, best first.
    middle = re.findall(r"\x1b\[38;2;(\d+);(\d+);(\d+);48;2;(\d+);(\d+);(\d+)m▀|(\s)", lines[4])
    tiles = [int(each[0]) for each in middle if each[0]]
    assert [tiles[i * 16 + 8] for i in range(4)] == [10, 0, 100, 200]
    # Frames: of the photo, of a match, of two that are none.
    corners = re.findall(r"38;2;(\d+;\d+;\d+)", lines[0])[::16]
    assert corners == ["90;130;220", "46;139;87", "150;150;150", "150;150;150"]


@pytest.mark.parametrize(
    ("environment", "way"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM_PROGRAM": "iTerm.app"}, "iterm2"),
        ({"TERM_PROGRAM": "WezTerm"}, "iterm2"),
        ({"TERM_PROGRAM": "WezTerm", "TMUX": "socket,1,0"}, "blocks"),
        ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1"}, "blocks"),
        ({}, "blocks"),
    ],
)
def test_what_terminals_can(environment: dict[str, str], way: str) -> None:
    colours = Console(force_terminal=True, color_system="truecolor")
    assert terminal_way(environment, colours) == way
    assert terminal_way(environment, Console(file=io.StringIO())) is None
    few = Console(force_terminal=True, color_system="256")
    assert terminal_way(environment, few) == (None if way == "blocks" else way)


@pytest.mark.parametrize(
    ("way", "pattern"),
    [
        ("kitty", r"(?:\x1b_G(?:a=T,f=100,)?m=[01];([A-Za-z0-9+/=]*)\x1b\\)"),
        ("iterm2", r"\x1b\]1337;File=inline=1;size=\d+:([A-Za-z0-9+/=]*)\x07"),
    ],
)
def test_terminal_protocols(way: str, pattern: str) -> None:
    from pipeline.query.pictures import _Inline
    from serving.client import Neighbour

    screen = io.StringIO()
    neighbours = [Neighbour(1, "a", "rose", 0, 0.9, True)]
    noise = np.random.default_rng(0).integers(0, 256, (112, 112, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    _Inline(Console(file=screen, width=80), way).draw(  # type: ignore[arg-type]
        file.getvalue(), neighbours, [grey(100)]
    )
    chunks = re.findall(pattern, screen.getvalue())
    assert re.sub(pattern, "", screen.getvalue()) == "\n"
    assert len(chunks) > 1 if way == "kitty" else len(chunks) == 1
    drawn = Image.open(io.BytesIO(base64.b64decode("".join(chunks))))
    assert drawn.size == (2 * 112 + 4, 112)
    assert drawn.getpixel((116 + 56, 56)) == (100, 100, 100, 255)
    assert drawn.getpixel((114, 56))[3] == 0  # type: ignore[index]


def test_a_model_without_thumbnails(
    zoo_like: str, photos: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    done = query(photos, "--url", zoo_like, "--k", 1, "--pictures", "always")
    assert done.returncode == 0
    # Once, not for each photo.
    assert done.stderr.count("no pictures") == 1 and "▀" not in done.stdout
    sheet = tmp_path / "sheet.html"
    done = query(photos, "--url", zoo_like, "--k", 1, "--html", sheet)
    assert done.returncode == 0 and done.stderr.count("no pictures") == 1
    page = Images()
    page.feed(sheet.read_text("utf-8"))
    # What was asked is shown, and what was found told.
    assert len(page.pictures) == 2 and "id-0" in page.words and "id-2" in page.words


@pytest.fixture
def zoo_like(similar_folder: pathlib.Path, tmp_path: pathlib.Path) -> Iterator[str]:  # noqa: F811
    """A server of the model with no signature but the default."""
    import tensorflow as tf

    from serving.model_server import ServerOptions, running_server

    model = tf.saved_model.load(str(similar_folder / "12"))
    tf.saved_model.save(
        model, str(tmp_path / "bare" / "1"), signatures=model.signatures["serving_default"]
    )
    options = ServerOptions(str(tmp_path / "bare"), model_name="flowers")
    with running_server(options) as found:
        yield found


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.jpg"], "missing.jpg does not exist"),
        (["photos", "--k", "6"], "k is 6, but the model returns 5 neighbours"),
        (["photos", "--model-name", "roses"], "roses"),
        (["photos", "--timeout", "0"], "0 is no time above 0"),
        (["photos", "--url", "localhost:8501"], "no server's URL"),
        (["empty"], "has no photo"),
    ],
)
def test_wrong_usage(
    similar_server,  # noqa: F811
    photos: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(photos.parent)
    pathlib.Path("empty").mkdir()
    where = [] if "--url" in arguments else ["--url", similar_server.url]
    done = query(*arguments, *where, PYTHONPATH=str(pathlib.Path(__file__).parents[3]))
    assert done.returncode in (1, 2) and words in done.stderr
    assert "Traceback" not in done.stderr
