"""The whole pipeline, compiled and executed step by step, with nothing but a bucket to keep things.

The steps are the processes that run on a cluster, with `gs://` URLs for the artifacts, the dataset,
the ledger, the checkpoints and the served versions. TensorFlow, Beam and TFX talk HTTPS to the
server in this folder as they would to Google's.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import sys
from collections.abc import Callable

import pytest

from tests.object_store import private_cloud

pytestmark = pytest.mark.extended

ROOT = f"gs://{private_cloud.BUCKET}/run"
ADDED = "water lily/1.jpg"
SETTINGS = {
    "deployment.pipeline_root": ROOT,
    "deployment.image": "flowersim:test",
    "data.synthetic.classes": 4,
    "data.synthetic.train_per_class": 8,
    "data.synthetic.validation_per_class": 4,
    "data.synthetic.test_per_class": 4,
    "data.synthetic.image_size": 64,
    "images.canonical_size": 64,
    "model.input_size": 32,
    "training.epochs": 2,
    "evaluation.min_recall_at_1": 0,
    "gallery.match_precision": 0.1,
    "serving_check.examples": 4,
    "serving_check.requests": 20,
}
SCRIPT = """
set -e
flowersim="$1"; python="$2"; root="$3"; shift 3
"$flowersim" prepare --stage --workdir workdir "$@"
"$flowersim" compile --workdir workdir --output spec.json "$@"
for run in first second; do
  "$flowersim" execute spec.json --store store --pipeline-root "$root/pipeline_root" --mode fast
  "$python" -c "import tensorflow as tf; tf.io.gfile.GFile('$root/mark', 'w').write('$run')"
done
"$python" -c "
import sys
from tfx.utils import io_utils
io_utils.copy_dir('$root/serving/flowers', 'served')
io_utils.copy_dir('$root/outcomes', 'outcomes')
"
"""
MARK = f"PUT {private_cloud.BUCKET}/run/mark"


@dataclasses.dataclass(frozen=True)
class Runs:
    """Two runs of the same spec: their folder, and what each did in the bucket."""

    folder: pathlib.Path
    first: list[str]
    second: list[str]

    def version(self) -> pathlib.Path:
        (version,) = (self.folder / "served").iterdir()
        return version


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, make_photo: Callable[..., bytes]) -> Runs:
    if reason := private_cloud.why_not():
        pytest.skip(reason)
    from components.gallery_edit import ledger, photo_store

    folder = tmp_path_factory.mktemp("bucket")
    gallery = folder / "workdir" / "gallery"
    stored = photo_store.store(gallery, make_photo(0), ".jpg")
    ledger.write(gallery, ledger.Ledger((ledger.Added(ADDED, "water lily", stored),)))
    tools = pathlib.Path(sys.executable)
    options = [f"--set={name}={value}" for name, value in SETTINGS.items()]
    command = ["bash", "-c", SCRIPT, "script", str(tools.with_name("flowersim")), str(tools), ROOT]
    finished, log = private_cloud.run([*command, *options], folder, timeout=3600)
    assert finished.returncode == 0, f"{finished.stdout[-3000:]}\n{finished.stderr[-3000:]}"
    first, second, *_ = (index for index, entry in enumerate(log) if entry == MARK)
    return Runs(folder, log[:first], log[first:second])


def below(log: list[str], what: str, part: str) -> list[str]:
    """Objects that were read, written or deleted below a folder of the bucket, in order."""
    start = f"{what} {private_cloud.BUCKET}/run/{part}"
    return [entry.removeprefix(start) for entry in log if entry.startswith(start)]


def test_nothing_is_written_to_a_local_folder_by_the_name_of_a_url(runs: Runs) -> None:
    assert not [path for path in runs.folder.rglob("gs:*")]


def test_every_step_ran(runs: Runs) -> None:
    results = sorted(runs.folder.glob("store/runs/*/result.json"))
    assert len(results) == 2
    for path in results:
        result = json.loads(path.read_text("utf-8"))
        assert {task["state"] for task in result["tasks"]} == {"SUCCEEDED"}
        names = {task["name"].rsplit("/", 1)[-1] for task in result["tasks"]}
        assert {"TfdsExampleGen", "Transform", "Trainer", "GalleryEdit", "AddedEmbedder"} <= names
        assert {"SimilarityIndexer", "ServingCheck", "Pusher", "OutcomeReport"} <= names


def test_what_is_served_was_complete_only_with_its_last_object(runs: Runs) -> None:
    written = below(runs.first, "PUT", f"serving/flowers/{runs.version().name}/")
    assert written[-1] == "saved_model.pb"
    assert written.count("saved_model.pb") == 1
    files = {p.relative_to(runs.version()).as_posix() for p in runs.version().rglob("*")}
    assert set(filter(None, (name.rstrip("/") for name in written))) == files
    assert {"assets.extra/model_digest.txt", "assets.extra/tf_serving_warmup_requests"} <= files


def test_what_is_served_finds_the_dataset_and_the_added_photo(
    runs: Runs, make_photo: Callable[..., bytes]
) -> None:
    import tensorflow as tf

    similar = tf.saved_model.load(str(runs.version())).signatures["similar"]
    found = similar(image_bytes=tf.constant([make_photo(0)]))
    ids = [identity.decode() for identity in found["neighbour_ids"][0].numpy()]
    assert ids[0] == ADDED
    assert found["neighbour_class_names"][0, 0].numpy() == b"water lily"
    assert len(set(ids)) == 20


def test_the_same_model_is_neither_pushed_again_nor_downloaded(runs: Runs) -> None:
    assert below(runs.second, "PUT", "serving/") == []
    checked = [
        name for name in below(runs.second, "GET", "pipeline_root/") if "ServingCheck" in name
    ]
    # What the check found is for the report.
    read = {name.rsplit("/", 1)[-1] for name in checked}
    assert read <= {"model_digest.txt", "saved_model.pb", "serving_check.json"}
    assert any(name.endswith("model_digest.txt") for name in checked)


def test_a_checkpoint_counts_only_once_it_is_there(runs: Runs) -> None:
    written = [name.rsplit("/", 1)[-1] for name in below(runs.first, "PUT", "checkpoints/")]
    assert [name for name in written if name] == [
        "epoch-00001.weights.h5",
        "progress.json",
        "epoch-00002.weights.h5",
        "progress.json",
    ]
    deleted = [name.rsplit("/", 1)[-1] for name in below(runs.first, "DELETE", "checkpoints/")]
    # Once the model is exported, what names the rest goes first.
    left = deleted[deleted.index("progress.json") :]
    assert set(left) >= {"progress.json", "epoch-00002.weights.h5"}


def test_each_run_has_reported_its_outcome(runs: Runs) -> None:
    reports = [json.loads(p.read_text("utf-8")) for p in (runs.folder / "outcomes").glob("*.json")]
    assert [report["state"] for report in reports] == ["SUCCEEDED", "SUCCEEDED"]
    served = f"{ROOT}/serving/flowers/{runs.version().name}"
    assert {report["served"] for report in reports} == {served}
