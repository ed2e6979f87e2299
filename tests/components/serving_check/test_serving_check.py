"""Models that are blessed and models that are refused, each by a server in its own process."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import shutil
from collections.abc import Callable
from typing import Any

import pytest
import tensorflow as tf
from tfx.components.infra_validator import executor as infra_validator
from tfx.components.pusher.executor import Executor as StockPusher
from tfx.types import artifact_utils, standard_artifacts

from components.image_embedder.records import EmbeddedImages
from components.pusher import digests
from components.pusher.executor import Executor as PusherExecutor
from components.serving_check.executor import Executor
from components.similarity_indexer.servable import SimilarityModel, save

Check = Callable[..., tuple[Any, dict[str, Any]]]


@pytest.fixture
def check(tmp_path: pathlib.Path, examples_folder: pathlib.Path, config) -> Check:
    """Gives `check(model, **changes of the config)`: the blessing and the report."""

    def run(folder: pathlib.Path, **changes: Any) -> tuple[Any, dict[str, Any]]:
        examples = standard_artifacts.Examples()
        examples.uri = str(examples_folder)
        examples.split_names = artifact_utils.encode_split_names(["train", "test"])
        model = standard_artifacts.Model()
        model.uri = str(tmp_path / "model")
        shutil.copytree(folder, tmp_path / "model" / "Format-Serving")
        blessing = standard_artifacts.InfraBlessing()
        blessing.uri = str(tmp_path / "blessing")
        Executor().Do(
            {"examples": [examples], "model": [model]},
            {"blessing": [blessing]},
            {"config": json.dumps(dataclasses.asdict(dataclasses.replace(config, **changes)))},
        )
        return blessing, json.loads((tmp_path / "blessing" / "serving_check.json").read_text())

    return run


def _files(folder: str | pathlib.Path) -> set[str]:
    root = pathlib.Path(folder)
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def _stock_blessing(folder: pathlib.Path, ok: bool) -> Any:
    blessing = standard_artifacts.InfraBlessing()
    blessing.uri = str(folder)
    mark = infra_validator._mark_blessed if ok else infra_validator._mark_not_blessed
    mark(blessing)
    return blessing


def test_a_good_model_is_blessed_and_pushed_with_its_warmup_records(
    check: Check, good_model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    blessing, report = check(good_model)
    assert report["ok"] and report["reason"] == "" and report["photos"] == 6
    assert report["gallery_photos"] == 3
    assert report["latency"]["requests"] == 20
    assert 0 < report["latency"]["median_ms"] <= report["latency"]["p95_ms"]
    assert 0 < report["load_seconds"] < 120
    if os.path.exists("/proc/self/status"):
        assert 100 < report["peak_memory_mb"] < 8000  # TensorFlow alone takes hundreds

    stock = _stock_blessing(tmp_path / "stock", ok=True)
    assert _files(stock.uri) < _files(blessing.uri)
    assert blessing.get_int_custom_property("blessed") == stock.get_int_custom_property("blessed")

    # With the digest, by which our Pusher knows a model again without reading it.
    added = {"assets.extra/tf_serving_warmup_requests", "assets.extra/model_digest.txt"}
    model = standard_artifacts.Model()
    model.uri = str(tmp_path / "model")
    pushed = _pushed(StockPusher(), tmp_path / "stock pushes", infra_blessing=[blessing])
    assert _files(pushed) - _files(good_model) == added
    # Ours is given the plain model too.
    pushed = _pushed(
        PusherExecutor(), tmp_path / "ours pushes", infra_blessing=[blessing], model=[model]
    )
    assert _files(pushed) - _files(good_model) == added
    assert digests.stored(pushed) == digests.compute(pushed)
    assert _files(good_model) < _files(pushed)


def _pushed(pusher: Any, base: pathlib.Path, **inputs: Any) -> str:
    """The version folder that a Pusher writes."""
    artifact = standard_artifacts.PushedModel()
    artifact.uri = str(base / "artifact")
    destination = {"filesystem": {"base_directory": str(base / "serving")}}
    pusher.Do(
        inputs,
        {"pushed_model": [artifact]},
        {
            "push_destination": json.dumps(destination),
            "custom_config": json.dumps({"despite_hold": False}),
        },
    )
    assert artifact.get_int_custom_property("pushed") == 1
    return artifact.get_string_custom_property("pushed_destination")


class Noisy(SimilarityModel):
    """Answers otherwise each time."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def embed(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        rows = super().embed(image_bytes)["embedding"]
        return {"embedding": rows + tf.random.normal(tf.shape(rows), stddev=0.01)}


class Slow(SimilarityModel):
    """Counts for a while before it answers."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def similar(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        steps = tf.while_loop(lambda i: i < 30_000, lambda i: [i + 1], [tf.size(image_bytes)])
        with tf.control_dependencies(steps):
            return super().similar(tf.identity(image_bytes))


class Credulous(SimilarityModel):
    """Answers whatever it is sent."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def similar(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        good = tf.strings.substr(image_bytes, -2, 2) == b"\xff\xd9"  # where a JPEG ends
        any_photo = tf.io.encode_jpeg(tf.zeros([8, 8, 3], tf.uint8))
        return super().similar(tf.where(good, image_bytes, any_photo))


def _saved(model: SimilarityModel, folder: pathlib.Path) -> pathlib.Path:
    save(model, str(folder))
    return folder


def _without(folder: pathlib.Path, source: pathlib.Path, *names: str) -> pathlib.Path:
    """The same model without some signatures."""
    model = tf.saved_model.load(str(source))
    kept = {name: value for name, value in model.signatures.items() if name not in names}
    tf.saved_model.save(model, str(folder), signatures=kept)
    return folder


def _refused(check: Check, folder: pathlib.Path, **changes: Any) -> tuple[str, Any]:
    blessing, report = check(folder, **changes)
    assert not report["ok"]
    pusher = PusherExecutor()
    assert not pusher.CheckBlessing({"infra_blessing": [blessing]})
    assert blessing.get_int_custom_property("has_model") == 0
    files = _files(blessing.uri)
    assert "INFRA_NOT_BLESSED" in files and "INFRA_BLESSED" not in files
    assert not [name for name in files if "saved_model" in name]
    return report["reason"], report


def test_a_model_without_a_signature_is_refused(
    check: Check, good_model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    reason, _ = _refused(check, _without(tmp_path / "without", good_model, "thumbnail"))
    assert reason == (
        "the model has no signature thumbnail; "
        "it has classify_image, embed, embed_examples, serving_default, similar"
    )


def test_a_model_that_cannot_be_loaded_is_refused(
    check: Check, good_model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(good_model, folder)
    (folder / "variables" / "variables.index").write_bytes(b"no index")
    reason, report = _refused(check, folder)
    assert reason.startswith("TensorFlow cannot load the model: ")
    assert report["latency"] is None


def test_a_folder_without_a_model_is_refused(check: Check, tmp_path: pathlib.Path) -> None:
    (tmp_path / "empty").mkdir()
    reason, _ = _refused(check, tmp_path / "empty")
    assert "saved_model.pb" in reason


def test_a_model_that_takes_too_long_to_load_is_refused(
    check: Check, good_model: pathlib.Path
) -> None:
    reason, _ = _refused(check, good_model, load_timeout_seconds=0.2)
    assert reason == "the model was not loaded within 0.2 s (serving_check.load_timeout_seconds)"


def test_a_slow_model_is_refused(
    check: Check, trained: str, gallery: EmbeddedImages, tmp_path: pathlib.Path
) -> None:
    model = Slow(trained, gallery, k=7, threshold=0.5)
    reason, report = _refused(check, _saved(model, tmp_path / "slow"), max_latency_ms=20.0)
    assert report["latency"]["p95_ms"] > 20.0
    assert report["latency"]["requests"] < 20  # no need to wait for all of them
    assert f"{report['latency']['p95_ms']:.1f} ms, allowed are 20 ms" in reason


def test_a_model_that_does_not_answer_in_time_is_refused(
    check: Check, good_model: pathlib.Path
) -> None:
    reason, _ = _refused(check, good_model, request_timeout_seconds=0.001)
    assert "was not answered within 0.001 s (serving_check.request_timeout_seconds)" in reason


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="needs a kernel that tells")
def test_a_model_that_needs_too_much_memory_is_refused(
    check: Check, good_model: pathlib.Path
) -> None:
    reason, report = _refused(check, good_model, max_memory_mb=10.0)
    assert f"peak memory is {report['peak_memory_mb']:.0f} MB, allowed are 10 MB" in reason


def test_a_model_that_answers_otherwise_over_rest_is_refused(
    check: Check, trained: str, gallery: EmbeddedImages, tmp_path: pathlib.Path
) -> None:
    model = Noisy(trained, gallery, k=7, threshold=0.5)
    reason, _ = _refused(check, _saved(model, tmp_path / "noisy"))
    assert reason.startswith("embed answers otherwise over REST than directly, to 6 at once: ")


@pytest.mark.parametrize(("exchanged", "exact"), [((0, 4), True), ((0, 1, 4), False)])
def test_a_model_that_confuses_its_gallery_is_refused(
    check: Check,
    trained: str,
    gallery: EmbeddedImages,
    tmp_path: pathlib.Path,
    exchanged: tuple[int, ...],
    exact: bool,
) -> None:
    """It is asked about the first three of the gallery, of which a routed search may miss one."""
    embeddings = gallery.embeddings.copy()
    embeddings[[*exchanged]] = embeddings[[*exchanged[1:], exchanged[0]]]
    wrong = dataclasses.replace(gallery, embeddings=embeddings)
    model = SimilarityModel(trained, wrong, k=7, threshold=0.5)
    reason, _ = _refused(check, _saved(model, tmp_path / "confused"), search_is_exact=exact)
    assert reason == (
        "'train ü0' is in the gallery and does not find itself with score 1: "
        "first is 'train ü4' with score 1.0000"
    )


def test_a_model_that_answers_bad_photos_is_refused(
    check: Check, trained: str, gallery: EmbeddedImages, tmp_path: pathlib.Path
) -> None:
    model = Credulous(trained, gallery, k=7, threshold=0.5)
    reason, _ = _refused(check, _saved(model, tmp_path / "credulous"))
    assert reason == (
        "serving_default answers a photo that is cut short, which it should refuse with status 400"
    )


def test_a_gallery_of_splits_that_the_data_lacks_is_an_error(
    check: Check, good_model: pathlib.Path
) -> None:
    message = "splits validation; the data has the splits train, test"
    with pytest.raises(ValueError, match=message):
        check(good_model, gallery_splits=("validation",))


def test_a_routed_search_may_miss_a_photo_and_what_was_removed_is_in_no_warmup_record(
    check: Check,
    trained: str,
    gallery: EmbeddedImages,
    photos: list[bytes],
    tmp_path: pathlib.Path,
) -> None:
    """A gallery without its first photo, in which the last two are confused."""
    kept = {field.name: getattr(gallery, field.name)[1:] for field in dataclasses.fields(gallery)}
    kept["embeddings"] = kept["embeddings"][[0, 1, 3, 2]]
    model = SimilarityModel(trained, EmbeddedImages(**kept), k=4, threshold=0.5)
    blessing, report = check(_saved(model, tmp_path / "edited"), search_is_exact=False)
    assert report["ok"] and (report["photos"], report["gallery_photos"]) == (6, 3)
    (records,) = pathlib.Path(blessing.uri).rglob("tf_serving_warmup_requests")
    content = records.read_bytes()
    assert all(photo in content for photo in photos[1:4])
    assert not [photo for photo in (photos[0], *photos[5:]) if photo in content]
