"""The gallery changed without training, seen by a client of one server that runs all the while.

Answers list the whole gallery (there are more neighbours than images), so what is asserted of them
is asserted of everything that can be found.
"""

from __future__ import annotations

import base64
import dataclasses
import gzip
import json
import pathlib
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from pipeline.cli import main
from pipeline.local_runner import run
from pipeline.sample_query import stored_images
from pipeline.settings_loader import load_settings
from serving.client import Neighbour, SimilarityClient
from serving.model_server import ServerOptions, running_server

# Minutes of whole runs: for `make test-all`.
pytestmark = [pytest.mark.e2e, pytest.mark.extended]

MORE = (
    "gallery.neighbours=60",
    "serving_check.requests=20",
    "serving_check.warmup_batch_sizes=[1]",
)


def photo(label: int, index: int) -> bytes:
    """A drawn flower that the dataset does not have."""
    from components.synthetic_flowers.genera import draw_species
    from components.synthetic_flowers.scene import photograph
    from components.synthetic_flowers.streams import Purpose, stream

    return photograph(stream(99, Purpose.TEST, label, index), draw_species(0, label), 72)


@dataclasses.dataclass
class Served:
    """A workdir, its photos, and a server and client of its model."""

    workdir: pathlib.Path
    settings: list[str]
    new: dict[str, bytes]  # photos to add, by id
    old: dict[str, bytes]  # photos of the gallery's splits, by id
    known_class: str
    url: str
    client: SimilarityClient

    @property
    def versions(self) -> list[int]:
        return sorted(int(path.name) for path in (self.workdir / "serving/flowers").glob("[0-9]*"))

    def command(self, *arguments: str) -> int:
        return main([*arguments, "--workdir", str(self.workdir)])

    def run(self, *overrides: str) -> dict[str, Any]:
        settings = load_settings("demo", [*self.settings, *overrides])
        return run(settings, self.workdir, preset="demo").summary

    def ask(self, image: bytes) -> list[Neighbour]:
        """Asks the newest version, once the server has found it."""
        end = time.monotonic() + 120
        while self.client.metadata().version != self.versions[-1]:
            assert time.monotonic() < end, "the server does not take up the newest version"
            time.sleep(0.2)
        return self.client.similar(image)

    def gallery(self) -> set[str]:
        return {neighbour.id for neighbour in self.ask(next(iter(self.old.values())))}

    def thumbnail(self, identity: str) -> httpx.Response:
        body = {"signature_name": "thumbnail", "instances": [identity]}
        return httpx.post(f"{self.url}/v1/models/flowers:predict", json=body, timeout=60)

    def holds(self, content: bytes) -> list[str]:
        """The files below the workdir that contain these bytes."""
        found = []
        for path in self.workdir.rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                if data[:2] == b"\x1f\x8b":
                    data = gzip.decompress(data)
                if content in data:
                    found.append(str(path.relative_to(self.workdir)))
        return found


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, tiny: tuple[str, ...]) -> Iterator[Served]:
    workdir = tmp_path_factory.mktemp("index")
    settings = [*tiny, *MORE]
    result = run(load_settings("demo", settings), workdir, preset="demo")
    stored = [
        image for split in ("train", "validation") for image in stored_images(result.dataset, split)
    ]
    known = stored[0][1]
    options = ServerOptions(
        model_name="flowers",
        model_base_path=str(workdir / "serving" / "flowers"),
        rest_api_port=0,
        file_system_poll_wait_seconds=1,
    )
    with running_server(options) as url, SimilarityClient(url) as client:
        yield Served(
            workdir,
            settings,
            new={
                f"{known}/a.jpg": photo(0, 1),
                "orchid/b.jpg": photo(7, 2),
                "orchid/c.jpg": photo(8, 3),
                "more/orchid/d.jpg": photo(9, 4),
            },
            old={identity: image for identity, _, image in stored},
            known_class=known,
            url=url,
            client=client,
        )


@dataclasses.dataclass
class Story:
    """What was seen after each step."""

    served: Served
    codes: dict[str, int] = dataclasses.field(default_factory=dict)
    galleries: dict[str, set[str]] = dataclasses.field(default_factory=dict)
    answers: dict[str, dict[str, list[Neighbour]]] = dataclasses.field(default_factory=dict)
    versions: dict[str, list[int]] = dataclasses.field(default_factory=dict)
    thumbnails: dict[str, httpx.Response] = dataclasses.field(default_factory=dict)
    held_back: str | None = None
    pushed_while_held: Any = None
    copies_before: list[str] = dataclasses.field(default_factory=list)

    def look(self, step: str) -> None:
        served = self.served
        self.galleries[step] = served.gallery()
        self.answers[step] = {i: served.ask(image) for i, image in served.new.items()}
        self.versions[step] = served.versions


REMOVED_NEW = "orchid/b.jpg"


@pytest.fixture(scope="module")
def removed_old(served: Served) -> str:
    return sorted(served.old)[3]


@pytest.fixture(scope="module")
def story(served: Served, removed_old: str, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """Add; roll back; run; add more while that holds; release; remove and purge."""
    story = Story(served)
    folder = tmp_path_factory.mktemp("new")
    first = {i: image for i, image in served.new.items() if not i.startswith("more/")}
    for identity, image in first.items():
        (folder / identity).parent.mkdir(exist_ok=True)
        (folder / identity).write_bytes(image)
    single = tmp_path_factory.mktemp("single") / "d.jpg"

    story.look("run")
    story.codes["add"] = served.command("index", "add", str(folder))
    story.look("add")
    story.thumbnails["add"] = served.thumbnail(REMOVED_NEW)
    story.codes["add again"] = served.command("index", "add", str(folder))
    story.versions["add again"] = served.versions

    story.codes["rollback"] = served.command("rollback")
    story.look("rollback")
    summary = served.run()
    story.held_back, story.pushed_while_held = summary["held_back"], summary["pushed_model"]
    story.versions["run while held"] = served.versions

    single.write_bytes(served.new["more/orchid/d.jpg"])
    story.codes["add one"] = served.command(
        "index", "add", str(single), "--class", "orchid", "--prefix", "more"
    )
    story.look("add one")
    newest = served.workdir / "serving/flowers" / str(served.versions[-1])
    story.codes["held"] = json.loads((newest / "assets.extra/rollback.json").read_text())["held"]
    story.codes["release"] = served.command("rollback", "--release")

    story.copies_before = served.holds(served.new[REMOVED_NEW])
    listed = single.with_name("ids.txt")
    listed.write_text(f"{removed_old}\n")
    story.codes["remove"] = served.command(
        "index", "remove", REMOVED_NEW, "--file", str(listed), "--purge"
    )
    story.look("remove")
    for identity in (REMOVED_NEW, removed_old, "orchid/c.jpg"):
        story.thumbnails[identity] = served.thumbnail(identity)
    story.codes["add removed"] = served.command("index", "add", str(folder))
    story.versions["add removed"] = served.versions
    return story


def test_every_command_succeeds(story: Story) -> None:
    assert {step: code for step, code in story.codes.items() if code} == {"held": True}


def test_added_photos_find_themselves_with_id_and_class(story: Story) -> None:
    served = story.served
    first = set(served.new) - {"more/orchid/d.jpg"}
    assert story.galleries["run"] == set(served.old)
    assert story.galleries["add"] == {*served.old, *first}
    for identity in first:
        nearest = story.answers["add"][identity][0]
        assert (nearest.id, nearest.class_name) == (identity, identity.split("/")[0])
        assert nearest.score == pytest.approx(1.0, abs=1e-5)
        assert identity not in {n.id for n in story.answers["run"][identity]}


def test_a_class_of_the_dataset_keeps_its_label_and_another_gets_one_of_its_own(
    story: Story,
) -> None:
    labels = {(n.class_name, n.label) for n in story.answers["add"]["orchid/c.jpg"]}
    assert len({name for name, _ in labels}) == len(labels) == 4
    of = dict(labels)
    assert of["orchid"] < -1 and min(label for name, label in labels if name != "orchid") >= 0


def test_old_answers_are_the_same_but_for_what_was_added(story: Story) -> None:
    before, after = (story.answers[step]["orchid/c.jpg"] for step in ("run", "add"))
    kept = [n for n in after if n.id in story.served.old]
    assert [n.id for n in kept] == [n.id for n in before]
    assert [n.score for n in kept] == pytest.approx([n.score for n in before], abs=1e-5)


def test_what_is_served_already_or_was_removed_is_not_pushed_again(story: Story) -> None:
    assert story.versions["add again"] == story.versions["add"]
    assert story.versions["add removed"] == story.versions["remove"]


def test_after_a_rollback_the_old_answers_come_back_as_a_new_version(story: Story) -> None:
    assert story.answers["rollback"] == story.answers["run"]
    assert story.versions["rollback"][:-1] == story.versions["add"]


def test_a_run_does_not_undo_a_rollback_and_says_so(story: Story) -> None:
    assert story.versions["run while held"] == story.versions["rollback"]
    assert story.pushed_while_held is None
    assert story.held_back and "flowersim rollback --release" in story.held_back


def test_an_edit_goes_on_from_what_the_rollback_serves(story: Story) -> None:
    assert story.galleries["add one"] == {*story.served.old, *story.served.new}
    nearest = story.answers["add one"]["more/orchid/d.jpg"][0]
    assert (nearest.id, nearest.class_name) == ("more/orchid/d.jpg", "orchid")


def test_what_was_removed_is_not_found_and_has_no_thumbnail(story: Story, removed_old: str) -> None:
    served = story.served
    gone = {REMOVED_NEW, removed_old}
    assert story.galleries["remove"] == {*served.old, *served.new} - gone
    assert REMOVED_NEW not in {n.id for n in story.answers["remove"][REMOVED_NEW]}
    assert removed_old not in {n.id for n in served.ask(served.old[removed_old])}
    for identity in gone:
        assert story.thumbnails[identity].status_code == 400
        assert f"[not in the gallery:] [{identity}]" in story.thumbnails[identity].json()["error"]
    assert story.thumbnails["add"].status_code == story.thumbnails["orchid/c.jpg"].status_code
    assert story.thumbnails["add"].status_code == 200


def test_of_a_purged_photo_nothing_is_left_below_the_workdir(story: Story) -> None:
    served = story.served
    assert len(story.copies_before) >= 3
    assert served.holds(served.new[REMOVED_NEW]) == []
    thumbnail = base64.b64decode(story.thumbnails["add"].json()["predictions"][0]["b64"])
    assert served.holds(thumbnail) == []
    # Every version before held an image that was removed.
    assert len(story.versions["remove"]) == 1
    assert served.holds(served.new["orchid/c.jpg"]) != []


def test_lineage_leads_from_what_is_served_to_the_photos_and_the_model(story: Story) -> None:
    """Walks ML Metadata from the newest push upwards."""
    from pipeline.metadata_store import connection_config, open_store

    store = open_store(connection_config(story.served.workdir, None))
    place = str(story.served.workdir / "serving/flowers" / str(story.versions["remove"][0]))
    (push,) = [
        artifact
        for artifact in store.get_artifacts_by_type("PushedModel")
        if artifact.custom_properties["pushed_destination"].string_value == place
    ]
    reached, waiting = set(), [push.id]
    while waiting:
        events = store.get_events_by_artifact_ids([waiting.pop()])
        makers = [event.execution_id for event in events if event.type == event.OUTPUT]
        for event in store.get_events_by_execution_ids(makers):
            if event.type == event.INPUT and event.artifact_id not in reached:
                reached.add(event.artifact_id)
                waiting.append(event.artifact_id)
    artifacts = store.get_artifacts_by_id(list(reached))
    parts = {pathlib.Path(artifact.uri).parts[-3] for artifact in artifacts}
    assert parts >= {
        "TfdsExampleGen",
        "Trainer",
        "Evaluator",
        "ImageEmbedder",
        "GalleryEdit",
        "AddedEmbedder",
        "SimilarityIndexer",
        "ServingCheck",
    }


def test_a_version_that_has_what_was_removed_is_not_rolled_back_to(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    assert story.served.command("rollback", "1") == 1
    assert "there is no version 1" in capsys.readouterr().err
    assert story.served.command("rollback") == 1
    assert "no other model was pushed before" in capsys.readouterr().err


@pytest.mark.parametrize("step", ["add", pytest.param("remove", marks=pytest.mark.extended)])
def test_what_fails_leaves_the_served_version(
    story: Story,
    step: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from components.similarity_indexer import executor

    def fail(*_: Any) -> None:
        raise OSError("the disk is full")

    served = story.served
    ledger = served.workdir / "gallery/ledger.json"
    before = ledger.read_text("utf-8")
    stored = sorted((served.workdir / "gallery/photos").iterdir())
    path = tmp_path / "late.jpg"
    path.write_bytes(photo(3, 77))
    with monkeypatch.context() as patch:
        patch.setattr(executor, "save", fail)
        if step == "add":
            assert served.command("index", "add", str(path), "--class", "late") == 1
        else:
            assert served.command("index", "remove", "orchid/c.jpg") == 1
    error = capsys.readouterr().err
    assert "SimilarityIndexer failed: the disk is full" in error and "Traceback" not in error
    assert served.versions == story.versions["remove"]
    assert served.gallery() == story.galleries["remove"]
    if step == "add":
        assert ledger.read_text("utf-8") == before
        assert sorted((served.workdir / "gallery/photos").iterdir()) == stored
    else:
        assert "the removal is written down" in error
        removed = json.loads(ledger.read_text("utf-8"))["removed"]
        assert "orchid/c.jpg" in {entry["id"] for entry in removed}
        # The same command goes on.
        assert served.command("index", "remove", "orchid/c.jpg") == 0
        assert served.gallery() == story.galleries["remove"] - {"orchid/c.jpg"}


@pytest.mark.extended
def test_a_retrained_model_keeps_what_was_added_and_not_what_was_removed(
    story: Story, removed_old: str
) -> None:
    served = story.served
    before = served.gallery()
    assert "more/orchid/d.jpg" in before and not before & {REMOVED_NEW, removed_old}
    summary = served.run("training.seed=1")
    assert summary["pushed_model"] == str(
        served.workdir / "serving/flowers" / str(served.versions[-1])
    )
    assert served.gallery() == before
    other = served.ask(served.new["more/orchid/d.jpg"])
    assert other[0].id == "more/orchid/d.jpg" and other[0].score == pytest.approx(1.0, abs=1e-5)
    scores = {n.id: n.score for n in story.answers["add one"]["more/orchid/d.jpg"]}
    assert max(abs(n.score - scores[n.id]) for n in other) > 0.01  # another model


@pytest.mark.extended
def test_a_part_of_a_run_follows_the_ledger_too(story: Story) -> None:
    """`--from Pusher` would push what an earlier run has indexed, with what is removed since."""
    served = story.served
    before = served.gallery()
    identity = sorted(before & set(served.old))[0]
    assert served.command("index", "remove", identity) == 0
    settings = load_settings("demo", [*served.settings, "training.seed=1"])
    summary = run(settings, served.workdir, preset="demo", first="Pusher").summary
    assert summary["pushed_model"].endswith(f"/{served.versions[-1]}")
    assert served.gallery() == before - {identity}
    assert served.command("index", "restore", identity) == 0
    assert served.gallery() == before


@pytest.mark.extended
def test_a_rebuild_follows_settings_and_a_refused_one_changes_nothing(
    story: Story, removed_old: str, capsys: pytest.CaptureFixture[str]
) -> None:
    served = story.served
    versions, gallery = served.versions, served.gallery()
    assert served.command("index", "rebuild", "--set", "serving_check.max_memory_mb=10") == 1
    assert "too large: the server's peak memory" in capsys.readouterr().err
    assert (served.versions, served.gallery()) == (versions, gallery)
    assert served.command("index", "rebuild", "--set", "gallery.splits=[train]") == 0
    train = {identity for identity in served.old if identity.startswith("train")}
    assert served.gallery() == gallery - (set(served.old) - train)
    # From here on, edits go on with that.
    identity = sorted(served.gallery() & train)[0]
    assert served.command("index", "remove", identity) == 0
    assert served.gallery() == gallery - (set(served.old) - train) - {identity}
