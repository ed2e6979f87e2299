"""The README's commands, executed in the order of a new user's first hour, on a tiny dataset.

Each is run as it stands there; what is added makes it small, or puts the server on a free port.
Those that need no model are in `test_readme_first_steps.py`. Commands of the pages of `docs/`
follow on what that has left; `tests/test_docs_commands.py` says which are not executed.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import urllib.request
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from components.similarity_indexer.gallery_ids import gallery_images
from tests.documented import blocks, documented
from tests.e2e import served_docs
from tests.e2e.first_hour import ROOT, a_gallery_image, readme, served, shell
from tests.serving.page.conftest import browser, visit  # noqa: F401 (fixtures)

pytestmark = pytest.mark.e2e


def test_an_interrupted_run_says_how_to_go_on(home: pathlib.Path, small: str) -> None:
    run = subprocess.Popen(
        ["bash", "-c", f"exec .venv/bin/flowersim run {small}"],
        cwd=home,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # Whoever runs the tests in the background has it ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert run.stderr is not None
    printed = []
    for line in run.stderr:
        printed.append(line)
        if "StatisticsGen" in line:
            os.killpg(run.pid, signal.SIGINT)  # as a terminal does it: to every process of the run
    assert run.wait(timeout=60) == 130, printed
    assert printed[-1] == "flowersim: interrupted; the same command goes on from here\n"
    assert "Traceback" not in "".join(printed)
    summary = json.loads((home / "runs/demo/summary.json").read_text("utf-8"))
    assert summary["status"] == "interrupted"


def test_make_run_goes_on_pushes_and_asks(home: pathlib.Path, small: str) -> None:
    workdir = home / "runs" / "demo"
    printed = shell(f'make run ARGS="--workdir {workdir} {small}"', ROOT)
    assert re.search(r"TfdsExampleGen +cached", printed)
    assert re.search(r"blessed +pushed to .*/runs/demo/serving/flowers/\d+", printed)
    assert re.search(r"frozen backbone, validation \(12 images\) +\d\.\d{4}", printed)
    assert f"serve --workdir {workdir}" in printed
    (page,) = re.findall(r"^look at it:  (.*)$", printed, re.MULTILINE)
    assert pathlib.Path(page).stat().st_size > 100_000
    card = json.loads(pathlib.Path(page).with_name("model_card.json").read_text("utf-8"))
    assert card["metrics"]["blessed"] is True


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("run --to Transform", r"Transform +cached"),
        ("run --from Trainer", r"Trainer +cached"),
    ],
)
def test_parts_of_a_run(home: pathlib.Path, small: str, command: str, expected: str) -> None:
    assert re.search(expected, shell(f".venv/bin/flowersim {command} {small}", home))


def test_what_runs_came_to(home: pathlib.Path) -> None:
    listed = json.loads(shell(".venv/bin/flowersim runs --json 2> /dev/null", home))
    assert re.search(r"interrupted +– / –", shell(".venv/bin/flowersim runs", home))
    names = [run["name"] for run in listed if run["pushed_model"]]
    assert len(names) == 2 and listed[-1]["status"] == "interrupted"
    page = pathlib.Path(shell(".venv/bin/flowersim report 2> /dev/null", home).strip())
    assert page.parent.name == names[0] and page.read_text("utf-8").startswith("<!doctype html>")
    printed = shell(f".venv/bin/flowersim compare {names[1]} {names[0]}", home)
    assert "recall@1" in printed
    (compared,) = re.findall(r"^page  (.*)$", printed, re.MULTILINE)
    assert (home / compared).stat().st_size > 10_000


def test_the_report_of_an_earlier_run(home: pathlib.Path) -> None:
    command = documented("report.md", "--json").replace("flowers102", "demo")
    listed = json.loads(shell(f".venv/bin/{command} 2> /dev/null", home))
    before = [run["name"] for run in listed if run["pushed_model"]][1]
    command = documented("report.md", "--output page.html")
    command = command.replace("runs/flowers102@20261126-1513", f"runs/demo@{before}")
    _browser(home)
    shell(f"BROWSER='bash browser.sh %s' .venv/bin/{command} --open", home)
    page = home / "page.html"
    assert (home / "shown").read_text("utf-8").strip() == page.as_uri()
    assert page.read_text("utf-8").startswith("<!doctype html>")
    assert json.loads((home / "model_card.json").read_text("utf-8"))["metrics"]["blessed"] is True


def _browser(home: pathlib.Path) -> None:
    """A program in a browser's place, which writes down what it is to show."""
    (home / "browser.sh").write_text('echo "$1" > shown\n')


def test_tensorboard(home: pathlib.Path) -> None:
    board = subprocess.Popen(
        ["bash", "-c", "exec .venv/bin/flowersim tensorboard --port 0"],
        cwd=home,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert board.stdout is not None
    try:
        (url,) = re.findall(r"TensorBoard is at (\S+);", board.stdout.readline())
        with urllib.request.urlopen(f"{url}data/plugin/scalars/tags") as answer:
            assert json.load(answer)
    finally:
        board.send_signal(signal.SIGINT)
        assert board.wait(timeout=30) == 0


def test_a_pushed_model_on_photos(home: pathlib.Path) -> None:
    printed = shell(".venv/bin/flowersim eval PHOTOS --model runs/demo/serving/flowers", home)
    assert re.search(r"\d+ queries, \d+ images searched", printed)
    assert "species 0" in printed and "map_at_r" in printed
    # Nothing of what libraries have to say of themselves.
    assert printed.splitlines()[1] == "24 queries, 24 images searched"


def test_a_pushed_model_on_a_split(home: pathlib.Path) -> None:
    split = "FOLDER/roses/1.0.0/test"
    printed = shell(f".venv/bin/flowersim eval {split} --model runs/demo/serving/flowers", home)
    assert printed.splitlines()[1] == "6 queries, 6 images searched"


def test_photos_are_embedded_as_the_page_says(home: pathlib.Path) -> None:
    command = documented("endpoints.md", "DATA/").replace("DATA/", "FOLDER/roses/1.0.0/")
    assert "OUT: 18 photos embedded" in shell(f".venv/bin/{command}", home)
    printed = shell(f".venv/bin/{documented('endpoints.md', 'eval OUT')}", home)
    assert "18 queries, 18 images searched" in printed


def test_test_images_are_drawn_with_what_the_model_finds(home: pathlib.Path) -> None:
    """The picture of the README, of another model."""
    assert "`python -m pipeline.neighbour_sheet`" in readme()
    (info,) = (home / "runs/demo/data/synthetic_flowers").glob("*/*/dataset_info.json")
    model = max((home / "runs/demo/serving/flowers").glob("[0-9]*"))
    command = f"python -m pipeline.neighbour_sheet {model} {info.parent}"
    shell(f".venv/bin/{command} NEIGHBOURS.png --rows 2 --columns 3", home)
    width, height = Image.open(home / "NEIGHBOURS.png").size
    # Two rows of four squares, the photo and three neighbours.
    assert width / height == pytest.approx(4 / 2, rel=0.1)


@pytest.mark.parametrize("command", ["monitor LOGS", "monitor LOGS --retrain"])
def test_what_is_asked_about(
    home: pathlib.Path, make_photo: Callable[..., bytes], command: str
) -> None:
    from benchmarks.drift_monitor import logged

    if not list(home.glob("LOGS-*")):
        with logged(home / "runs/demo/serving/flowers", home / "LOGS") as client:
            for index in range(3):
                client.similar(make_photo(700 + index))
    command = f".venv/bin/flowersim {command}"
    # The first as the page about it has it: with metrics for Prometheus.
    shown = documented("monitoring.md", "monitor LOGS --prometheus")
    metrics = home / shown.split()[-1]
    if shown.startswith(f"{command} --prometheus"):
        metrics.parent.mkdir(parents=True)
        command = shown
    printed = shell(command, home)
    if command == shown:
        assert re.search(r"^flowersim_\w+\{.*\} \S+$", metrics.read_text("utf-8"), re.MULTILINE)
    assert "examined  3 different photos" in printed
    assert "3 different photos could be examined, and monitoring.min_photos is 100" in printed


def test_the_gallery_is_changed(home: pathlib.Path, make_photo: Callable[..., bytes]) -> None:
    for index in range(2):
        photo = home / "NEW" / "fern" / f"{index}.jpg"
        photo.parent.mkdir(parents=True, exist_ok=True)
        photo.write_bytes(make_photo(500 + index))
    printed = shell(".venv/bin/flowersim index add NEW", home)
    assert re.search(r"GalleryEdit +\d+\.\d s", printed)
    assert "added 2 photos: 2 of fern (a class new to the gallery)\n" in printed
    added = re.search(r"pushed to .*/(\d+)\n", printed)
    assert added is not None
    printed = shell(".venv/bin/flowersim rollback", home)
    assert "photos that were added by hand and that it lacks: 2;" in printed
    assert "fern" not in shell(".venv/bin/flowersim index list", home)
    assert "released: version" in shell(".venv/bin/flowersim rollback --release", home)
    printed = shell(".venv/bin/flowersim index remove fern/1.jpg --purge", home)
    assert f"deleted versions: {added[1]}; artifacts of indexing: " in printed
    listed = _listed(home)
    assert "fern/0.jpg\tfern" in listed and not any("fern/1.jpg" in line for line in listed)
    printed = shell(".venv/bin/flowersim index rebuild", home)
    assert re.search(r"TfdsExampleGen +cached", printed)
    assert re.search(r"ImageEmbedder +\d+\.\d s", printed)
    assert _listed(home) == listed


def _listed(home: pathlib.Path) -> list[str]:
    """The gallery's ids and classes, without what libraries say beside them."""
    printed = shell(".venv/bin/flowersim index list", home)
    return [line for line in printed.splitlines() if "\t" in line]


def test_it_is_compiled(home: pathlib.Path, small: str) -> None:
    root = "--set deployment.pipeline_root=DEPLOYED"
    printed = shell(f".venv/bin/flowersim prepare --stage {root} {small}", home)
    assert re.search(r"staged: /.*/DEPLOYED/data/.*\n +/.*/DEPLOYED/gallery/", printed)
    printed = shell(
        f".venv/bin/flowersim compile {root} {small} --set deployment.image=IMAGE "
        "--output pipeline.json",
        home,
    )
    assert "GalleryEdit" in printed and "not there yet" not in printed
    assert "flowersim execute pipeline.json" in printed


@pytest.mark.extended
def test_it_is_executed(home: pathlib.Path) -> None:
    """Photos that were added and removed by hand go along, as they do with a local run."""
    printed = shell(".venv/bin/flowersim execute pipeline.json --mode fast", home)
    pushed = re.search(r"blessed +pushed to (.*/DEPLOYED/serving/flowers/\d+)\n", printed)
    assert pushed is not None
    found = gallery_images(pushed[1])
    assert found["fern/0.jpg"] == "fern" and "fern/1.jpg" not in found


def test_what_would_be_submitted_is_what_was_compiled(home: pathlib.Path) -> None:
    """As the page says, up to the cloud itself."""
    compiled = json.loads((home / "pipeline.json").read_text("utf-8"))
    command = documented("deploy.md", "RUNNER").removesuffix(" --wait")
    command = command.replace("flowersim-vertex.json", "pipeline.json")
    command = command.replace("PROJECT", "my-project")
    printed = shell(f".venv/bin/{command} --dry-run --pipeline-root gs://BUCKET/ROOT", home)
    sent = json.loads(printed[printed.index("{") :])
    assert "RUNNER" in json.dumps(sent)
    assert compiled["pipelineSpec"]["root"]["dag"]["tasks"].keys() <= _keys(sent)


def _keys(tree: Any) -> set[str]:
    """Every key of a JSON document."""
    if isinstance(tree, list):
        return set().union(*map(_keys, tree))
    if isinstance(tree, dict):
        return {*tree}.union(*map(_keys, tree.values()))
    return set()


def test_serve_query_and_curl(home: pathlib.Path) -> None:
    identity, class_name, image = a_gallery_image(home)
    # As large as a camera's photos are, which is more than a shell's argument may hold.
    padding = PngInfo()
    padding.add_text("padding", "x" * 3_000_000)
    Image.open(io.BytesIO(image)).save(home / "PHOTO.jpg", "png", pnginfo=padding)
    with served(home) as url:
        query = f".venv/bin/flowersim query PHOTO.jpg --k 5 --url {url}"
        first = next(line for line in shell(query, home).splitlines() if identity in line)
        assert class_name in first and "1.000" in first
        (code,) = re.findall(r"^```python\n(.*?)^```", readme(), re.MULTILINE | re.DOTALL)
        (home / "ask.py").write_text(code.replace("http://127.0.0.1:8501", url))
        assert f"id={identity!r}" in shell(".venv/bin/python ask.py", home)
        if shutil.which("curl"):
            (curl,) = re.findall(r"^.*\|\n  curl .*$", readme(), re.MULTILINE)
            answer = shell(curl.replace("http://127.0.0.1:8501", url), home)
            # curl's own progress follows the answer.
            (prediction,) = json.JSONDecoder().raw_decode(answer)[0]["predictions"]
            assert prediction["neighbour_ids"][0] == identity


def test_the_pages_about_asking(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a server that logs, started as the page about monitoring says."""
    identity, _, image = a_gallery_image(home)
    for name in ("ASKED.jpg", "PHOTO.jpg", "photo.jpg"):
        (home / name).write_bytes(image)
    command = documented("monitoring.md", "--request-log ").replace("/var/log/flowers", "ASKED")
    with served(home, f"{command} --port {{port}}") as url, served_docs.files(home) as web:
        command = documented("client.md", "https://").replace(
            "https://example.org/rose", f"{web}/photo"
        )
        printed = shell(f"{command} --url {url} --pictures never", home)
        # The photo as a file and from the web; and 24 others.
        assert len(re.findall(rf"1\.000\d .*{re.escape(identity)}", printed)) >= 2
        assert printed.count("species ") >= 24
        printed = shell(f"{documented('client.md', 'cat ')} --url {url}", home)
        answer = json.loads(next(line for line in printed.splitlines() if line[0] == "{"))
        assert answer["neighbours"][0]["id"] == identity
        shell(f"{documented('client.md', '--html')} --url {url}", home)
        assert (home / "found.html").read_text("utf-8").count("data:image/") > 24
        (code,) = blocks("client.md", "python")
        (home / "ask.py").write_text(code.replace("http://127.0.0.1:8501", url))
        lines = shell(".venv/bin/python ask.py", home).splitlines()
        assert len(lines) == 5 and re.fullmatch(r".+ (1\.0|0\.99\d*) (True|False)", lines[0])
        (code,) = blocks("endpoints.md", "python")
        monkeypatch.chdir(home)
        predictions, embeddings = served_docs.ask_endpoint(code, f"{url}/v1/models/flowers")
        assert predictions[0]["neighbour_ids"][0] == identity
        assert np.linalg.norm(embeddings["predictions"][0]) == pytest.approx(1, abs=1e-4)


def test_the_model_server_by_itself(home: pathlib.Path) -> None:
    from serving.client import SimilarityClient

    printed = shell(f".venv/bin/{documented('serve-in-production.md', '--print-command')}", home)
    assert "docker run" in printed and "tensorflow/serving" in printed
    command = documented("serving.md", "serving.model_server").replace("=8500", "=0")
    command = command.replace("=8501", "={port}")
    with served(home, command) as url, SimilarityClient(url) as client:
        client.wait_until_available(60)
        assert client.metadata().name == "flowers"


def test_page_client_and_query_agree(
    home: pathlib.Path,
    visit: Callable[..., Any],  # noqa: F811
) -> None:
    """A person, a program and a script ask the pushed model the same, each in their own way."""
    from serving.client import SimilarityClient
    from tests.serving.page.driving import answered, choose, wait_until

    identity, class_name, image = a_gallery_image(home)
    (home / "ASKED.jpg").write_bytes(image)
    with served(home) as url:
        with SimilarityClient(url) as client:
            found = client.similar(image)
            assert (found[0].id, found[0].class_name) == (identity, class_name)
            thumbnails = client.thumbnails([neighbour.id for neighbour in found])
            version = client.metadata().version
        query = f".venv/bin/flowersim query ASKED.jpg --json --k {len(found)} --url {url}"
        (line,) = [line for line in shell(query, home).splitlines() if line.startswith("{")]
        answer = json.loads(line)
        assert answer["neighbours"] == [dataclasses.asdict(neighbour) for neighbour in found]
        page = visit(url)
        wait_until(page, "ready")
        choose(page, ("ASKED.jpg", image))
        shown = answered(page, "ASKED.jpg")
        assert [(tile["id"], tile["score"]) for tile in shown] == [
            (neighbour.id, f"{neighbour.score:.2f}") for neighbour in found[: len(shown)]
        ]
        assert page.locator("#version").text_content() == f"version {version}"
        page.wait_for_function("document.querySelectorAll('.tile img').length > 0")
        first = page.locator(".tile img").first
        first.evaluate("image => image.decode()")
        with Image.open(io.BytesIO(thumbnails[0])) as thumbnail:
            size = first.evaluate("image => [image.naturalWidth, image.naturalHeight]")
            assert tuple(size) == thumbnail.size
