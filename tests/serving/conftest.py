"""Small SavedModels, and servers for them on real sockets, shared by the tests of serving/."""

import io
import os
import pathlib
import shutil

import httpx
import PIL.Image
import pytest

from serving.model_server import ServerOptions, running_server
from serving.versions import ModelVersions
from tests.serving.version_files import Loader

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

GREYS = (0, 100, 200)
GALLERY = len(GREYS)
K = 5


def grey_png(grey: int) -> bytes:
    """A small image of one grey."""
    file = io.BytesIO()
    PIL.Image.new("RGB", (8, 8), (grey,) * 3).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def loader() -> Loader:
    """Loads versions that are text files."""
    return Loader()


@pytest.fixture
def watch(tmp_path, loader):
    """Starts to serve such versions from `tmp_path`."""
    started = []

    def start(**options):
        options = {"poll_seconds": 0.01, "retry_seconds": 0.0, "max_load_retries": 0, **options}
        versions = ModelVersions("m", str(tmp_path), loader, **options)
        started.append(versions)
        versions.start()
        return versions

    yield start
    loader.go_on.set()
    for versions in started:
        versions.stop()


@pytest.fixture(scope="session")
def zoo_folder(tmp_path_factory) -> pathlib.Path:
    """Version 7 of a model with one signature for each kind of tensor."""
    import tensorflow as tf

    def signature(**specs):
        named = {name: tf.TensorSpec(*spec, name=name) for name, spec in specs.items()}
        return lambda function: tf.function(function).get_concrete_function(**named)

    @signature(x=([None], tf.float32))
    def half_plus_two(x):
        return {"y": x / 2 + 2}

    @signature(a=([None], tf.float32), b=([None, 3], tf.int32))
    def several(a, b):
        return {"total": a + tf.cast(tf.reduce_sum(b, 1), tf.float32), "b": b}

    @signature(text=(None, tf.string))
    def strings(text):
        return {"text": text, "raw_bytes": text}

    @signature(text=([None], tf.string))
    def raw(text):
        return {"only_bytes": text}

    @signature(
        boolean=([None], tf.bool),
        double=([None], tf.float64),
        uint8=([None], tf.uint8),
        int8=([None], tf.int8),
        int16=([None], tf.int16),
        uint32=([None], tf.uint32),
        int64=([None], tf.int64),
        uint64=([None], tf.uint64),
    )
    def types(**tensors):
        return {f"{name}_out": tf.identity(tensor) for name, tensor in tensors.items()}

    @signature(x=(None, tf.float32))
    def any_shape(x):
        return {"same": tf.identity(x)}

    @signature(n=([], tf.int64))
    def scalar(n):
        return {"square": n * n}

    @signature(x=([None], tf.float32))
    def uneven(x):
        return {"x": x, "twice": tf.concat([x, x], 0)}

    @signature(x=([None], tf.float16))
    def half(x):
        return {"x": x}

    @signature(x=([None], tf.float32))
    def half_out(x):
        return {"x": tf.cast(x, tf.float16)}

    @signature(x=([None], tf.float32))
    def positive(x):
        tf.debugging.Assert(tf.reduce_all(x > 0), ["x must be positive:", x])
        return {"root": tf.sqrt(x)}

    @signature(steps=([None], tf.int64))
    def slow(steps):
        return {"n": tf.while_loop(lambda i: i[0] < steps[0], lambda i: [i + 1], [steps * 0])[0]}

    functions = dict(
        serving_default=half_plus_two,
        several=several,
        strings=strings,
        raw=raw,
        types=types,
        any_shape=any_shape,
        scalar=scalar,
        uneven=uneven,
        half=half,
        half_out=half_out,
        positive=positive,
        slow=slow,
    )
    folder = tmp_path_factory.mktemp("zoo")
    tf.saved_model.save(tf.Module(), str(folder / "7"), signatures=functions)
    return folder


@pytest.fixture(scope="session")
def zoo(zoo_folder):
    """A client of a server of the zoo model."""
    options = ServerOptions(str(zoo_folder), model_name="zoo", rest_api_timeout_in_ms=20_000)
    with running_server(options) as url, httpx.Client(base_url=url) as client:
        yield client


@pytest.fixture(scope="session")
def add_folder(tmp_path_factory) -> pathlib.Path:
    """SavedModels 1 to 4, of which number N adds N."""
    import tensorflow as tf

    class Add(tf.Module):
        def __init__(self, number):
            super().__init__()
            self.number = tf.Variable(float(number))

        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
        def add(self, x):
            return {"y": x + self.number}

    folder = tmp_path_factory.mktemp("add")
    for number in range(1, 5):
        model = Add(number)
        tf.saved_model.save(model, str(folder / str(number)), signatures=model.add)
    return folder


@pytest.fixture(scope="session")
def push(add_folder):
    """Puts one of the adding models into a base path, whole, as a version."""

    def push_version(base, number, version=None):
        version = number if version is None else version
        staged = base / f"staged-{version}"
        shutil.copytree(add_folder / str(number), staged)
        staged.rename(base / str(version))

    return push_version


@pytest.fixture(scope="session")
def similar_folder(tmp_path_factory) -> pathlib.Path:
    """A model with the signature of a pushed one, which finds images of a similar grey.

    Its gallery has three images, so of five columns two are padding.
    """
    import tensorflow as tf

    images = tf.TensorSpec([None], tf.string, name="image_bytes")

    def grey_of(image_bytes):
        def mean(data):
            image = tf.io.decode_image(data, channels=3, expand_animations=False)
            return tf.reduce_mean(tf.cast(image, tf.float32))

        return tf.map_fn(mean, image_bytes, fn_output_signature=tf.float32)

    class Similar(tf.Module):
        @tf.function(input_signature=[images])
        def similar(self, image_bytes):
            grey = grey_of(image_bytes)
            scores = 1 - tf.abs(grey[:, None] - tf.constant([GREYS], tf.float32)) / 255
            scores, index = tf.math.top_k(scores, GALLERY)

            def padded(values, filler):
                return tf.pad(values, [[0, 0], [0, K - GALLERY]], constant_values=filler)

            return {
                "neighbour_ids": padded(tf.strings.join(["id-", tf.as_string(index)]), ""),
                "neighbour_labels": padded(tf.cast(index, tf.int64), tf.constant(-1, tf.int64)),
                "neighbour_class_names": padded(
                    tf.gather(["rose", "tulip", "müllerröschen"], index), ""
                ),
                "neighbour_scores": padded(scores, -1.0),
                "is_match": padded(tf.cast(scores > 0.9, tf.int32), 0) > 0,
            }

        @tf.function(input_signature=[images])
        def embed(self, image_bytes):
            angle = grey_of(image_bytes) / 255
            return {"embedding": tf.stack([tf.cos(angle), tf.sin(angle)], axis=1)}

        @tf.function(input_signature=[images])
        def classify_image(self, image_bytes):
            bright = grey_of(image_bytes) / 255
            scores, index = tf.math.top_k(tf.stack([1 - bright, bright], axis=1), 2)
            return {"class_names": tf.gather(["dark", "bright"], index), "scores": scores}

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="ids")])
        def thumbnail(self, ids):
            known = tf.strings.regex_full_match(ids, "id-[0-2]")
            check = tf.debugging.Assert(tf.reduce_all(known), ["not in the gallery:", ids])
            with tf.control_dependencies([check]):
                index = tf.strings.to_number(tf.strings.substr(ids, 3, 1), tf.int32)
                return {"thumbnail_bytes": tf.gather([grey_png(g) for g in GREYS], index)}

    folder = tmp_path_factory.mktemp("similar")
    model = Similar()
    signatures = {
        "serving_default": model.similar,
        "embed": model.embed,
        "classify_image": model.classify_image,
        "thumbnail": model.thumbnail,
    }
    tf.saved_model.save(model, str(folder / "12"), signatures=signatures)
    return folder


@pytest.fixture(scope="session")
def similar_url(similar_folder):
    """The URL of a server of the similarity model, named flowers."""
    with running_server(ServerOptions(str(similar_folder), model_name="flowers")) as url:
        yield url
