"""A workdir whose runs were never run: what they left is written, and ML Metadata played.

How a run's outputs are read from a real store is tested where that is done, and in `tests/e2e`.
"""

from __future__ import annotations

import io
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.lineage import Output, Run

# As names come: what ends a cell or a line of a table, what HTML takes for its own, and none.
CLASS_NAMES = ("two\twords", "two\nlines\r\n", "<b>rose</b>", "  ", "Ёлка")


def picture(colour: tuple[int, int, int], size: tuple[int, int] = (40, 30)) -> bytes:
    """A JPEG of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


class Workdir:
    """Runs of a workdir, and the artifacts of their components."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self.outputs: dict[str, dict[tuple[str, str], Output]] = {}
        self.scalars: dict[str, dict[str, list[float]]] = {}
        self.vectors: dict[str, np.ndarray] = {}

    def train(self, name: str, epochs: Sequence[Mapping[str, float]], images: int = 23) -> None:
        """Writes what a Trainer and an ImageEmbedder leave, as artifacts called `name`."""
        import tensorflow as tf

        from components.image_embedder import records
        from trainer_module.scalars import tag

        writer = tf.summary.create_file_writer(str(self.root / "Trainer" / name / "tensorboard"))
        with writer.as_default():
            for number, logs in enumerate(epochs, start=1):
                for key, value in logs.items():
                    tf.summary.scalar(tag(key), value, step=number)
        writer.close()
        self.scalars[name] = {tag(key): [logs[key] for logs in epochs] for key in epochs[0]}
        generator = np.random.default_rng(len(self.vectors))
        vectors = generator.normal(size=(images, 6)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        for split in ("train", "test"):
            folder = pathlib.Path(
                records.split_folder(str(self.root / "ImageEmbedder" / name), split)
            )
            folder.mkdir(parents=True)
            path = str(folder / f"{records.FILE_PREFIX}-0{records.FILE_SUFFIX}")
            with tf.io.TFRecordWriter(path, "GZIP") as file:
                for number in range(images):
                    if (number % 3 == 0) == (split == "test"):
                        label = number % len(CLASS_NAMES)
                        image = records.EmbeddedImage(
                            identity=f"{number:03}".encode(),
                            label=label,
                            class_name=CLASS_NAMES[label].encode(),
                            split=split.encode(),
                            embedding=vectors[number],
                            thumbnail=picture((10 * number, 0, 255 - 10 * number)),
                        )
                        file.write(records.encode(image))
        self.vectors[name] = vectors

    def run(
        self, name: str, training: str | None, recall: float = 0.5, overrides: Sequence[str] = ()
    ) -> None:
        """Leaves a run whose Trainer and ImageEmbedder gave the artifacts called `training`."""
        from pipeline.settings_help import preset_yaml
        from pipeline.settings_loader import load_settings

        folder = self.root / "runs" / name
        folder.mkdir(parents=True, exist_ok=True)
        metrics = {
            "test": {"recall_at_1": recall, "map_at_r": recall / 2, "recall_at_5": 1.0},
            "validation": {"recall_at_1": recall / 4, "map_at_r": recall / 8},
        }
        summary: dict[str, Any] = {
            "status": "succeeded" if training else "failed",
            "name": name,
            "run_id": name,
            "metrics": metrics if training else {},
            "components": [],
        }
        (folder / "summary.json").write_text(json.dumps(summary))
        (folder / "settings.yaml").write_text(preset_yaml(load_settings("demo", overrides)))
        self.outputs[name] = {}
        if training:
            self.outputs[name] = {
                ("Trainer", "model_run"): Output(str(self.root / "Trainer" / training), {}),
                ("ImageEmbedder", "embeddings"): Output(
                    str(self.root / "ImageEmbedder" / training), {}
                ),
            }


@pytest.fixture
def workdir(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Workdir:
    """A workdir without a run."""
    made = Workdir(tmp_path / "workdir")
    made.root.mkdir()
    monkeypatch.setattr(
        "pipeline.tensorboard.trainings.outputs_of",
        lambda record: Run(record.name, made.outputs[record.name]),
    )
    return made


EPOCHS = (
    {"loss": 3.5, "center_loss": 0.5, "accuracy": 0.25, "val_map_at_r": 0.125, "center_norm": 0.5},
    {"loss": 1.5, "center_loss": 0.25, "accuracy": 0.5, "val_map_at_r": 0.375, "center_norm": 0.75},
)


@pytest.fixture
def two_trainings(workdir: Workdir) -> Workdir:
    """Three runs; the second takes its training from the cache, the third has another rate."""
    workdir.train("1", EPOCHS)
    workdir.train("2", [{key: value / 2 for key, value in logs.items()} for logs in EPOCHS], 7)
    workdir.run("20260101-100000", "1", recall=0.5)
    workdir.run("20260102-100000", "1", recall=0.625, overrides=["evaluation.ks=[1, 5]"])
    rates = ["training.learning_rate=0.01", "training.precision=float32"]
    workdir.run("20260103-100000", "2", recall=0.75, overrides=rates)
    return workdir


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Callable[[pathlib.Path], Callable[..., Any]]:
    """Gives `serve(folder)`: a real TensorBoard, and a function that asks its plugins."""
    import urllib.parse
    import urllib.request

    from pipeline.tensorboard.server import launch

    def start(folder: pathlib.Path) -> Callable[..., Any]:
        url = launch(folder, "localhost", 0)

        def ask(path: str, body: Any = None, raw: bool = False, **query: str) -> Any:
            address = f"{url}data/plugin/{path}?{urllib.parse.urlencode(query)}"
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(
                address, data, {"Content-Type": "application/json"} if data else {}
            )
            with urllib.request.urlopen(request, timeout=60) as answer:
                content = answer.read()
            return content if raw else json.loads(content)

        return ask

    return start
