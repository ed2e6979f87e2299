"""What every test module may use: shared data, small datasets, and hypothesis without surprises.

Only what is light: a fixture that imports TensorFlow or TFX belongs beside the tests that need it.
"""

from __future__ import annotations

import io
import pathlib
from collections.abc import Callable, Mapping, Sequence

import hypothesis
import pytest

# The same examples in every run: a failure in CI is a failure on every machine. No deadline, since
# the first example pays for imports.
hypothesis.settings.register_profile("flowersim", derandomize=True, deadline=None)
hypothesis.settings.load_profile("flowersim")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts files with whole runs first: begun last, one of them would keep a single worker busy."""
    long = {item.path for item in items if item.get_closest_marker("e2e")}
    items.sort(key=lambda item: item.path not in long)


@pytest.fixture(scope="session")
def shared_folder() -> pathlib.Path:
    """The folder `shared` beside the checkout: reference values and real data, not ours to ship."""
    folder = pathlib.Path(__file__).resolve().parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("needs the folder 'shared' beside the checkout (reference values, real data)")
    return folder


@pytest.fixture(scope="session")
def make_photo() -> Callable[..., bytes]:
    """Gives `make_photo(seed, kind="jpeg")`: the bytes of a small image of noise."""
    import numpy as np
    from PIL import Image

    def make(seed: int, kind: str = "jpeg") -> bytes:
        pixels = np.random.default_rng(seed).integers(0, 256, (12, 16, 3), dtype=np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, kind)
        return buffer.getvalue()

    return make


@pytest.fixture(scope="session")
def write_dataset() -> Callable[..., pathlib.Path]:
    """Gives `write_dataset(data_dir, name, class_names, splits)`: a prepared TFDS folder.

    It writes the files that TFDS would, without TFDS preparing anything. `splits` maps a split to
    its shards, a shard to examples `(image, label, file_name)`; where the names are None, the
    dataset has no such feature.
    """
    import tensorflow as tf
    import tensorflow_datasets as tfds

    def encode(image: bytes, label: int, file_name: str | None) -> bytes:
        feature = {
            "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[image])),
            "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
        }
        if file_name is not None:
            value = tf.train.BytesList(value=[file_name.encode()])
            feature["file_name"] = tf.train.Feature(bytes_list=value)
        return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()

    def write(
        data_dir: pathlib.Path,
        name: str,
        class_names: Sequence[str],
        splits: Mapping[str, Sequence[Sequence[tuple[bytes, int, str | None]]]],
    ) -> pathlib.Path:
        folder = data_dir / name / "1.0.0"
        folder.mkdir(parents=True)
        features = {
            "image": tfds.features.Image(shape=(None, None, 3)),
            "label": tfds.features.ClassLabel(names=list(class_names)),
        }
        if next(iter(splits.values()))[0][0][2] is not None:
            features["file_name"] = tfds.features.Text()
        template = tfds.core.ShardedFileTemplate(
            data_dir=folder, dataset_name=name, filetype_suffix="tfrecord"
        )
        infos = []
        for split, shards in splits.items():
            for index, shard in enumerate(shards):
                path = folder / f"{name}-{split}.tfrecord-{index:05d}-of-{len(shards):05d}"
                with tf.io.TFRecordWriter(str(path)) as writer:
                    for example in shard:
                        writer.write(encode(*example))
            infos.append(
                tfds.core.SplitInfo(
                    name=split,
                    shard_lengths=[len(shard) for shard in shards],
                    num_bytes=sum(len(image) for shard in shards for image, _, _ in shard),
                    filename_template=template,
                )
            )
        tfds.folder_dataset.write_metadata(
            data_dir=folder,
            features=features,
            split_infos=infos,
            filename_template=template,
            check_data=False,
            supervised_keys=("image", "label"),
        )
        return folder

    return write
