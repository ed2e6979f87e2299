"""One real query after a run: a test image, over HTTP, against the model that was pushed."""

from __future__ import annotations

import pathlib
from collections.abc import Collection, Iterator

from rich.console import Console

K = 5


def ask_about_a_test_image(
    pushed_model: str,
    model_name: str,
    dataset: str,
    console: Console,
    *,
    skip: Collection[str] = (),
) -> None:
    """Starts a model server on a free port, asks it about a test image, prints the answer.

    Args:
        pushed_model: The version folder.
        model_name: Name in the URL.
        dataset: The prepared TFDS folder, of whose test split the first image is taken.
        console: Where the answer goes.
        skip: Ids of images that cannot be decoded.
    """
    from pipeline.query.output import print_neighbours
    from serving.client import SimilarityClient
    from serving.model_server import ServerOptions, running_server

    identity, class_name, image = first_image(dataset, "test", skip)
    options = ServerOptions(
        model_name=model_name,
        model_base_path=str(pathlib.Path(pushed_model).parent),
        rest_api_port=0,
    )
    with running_server(options) as url, SimilarityClient(url, model_name=model_name) as client:
        console.print(f"\nPOST {url}/v1/models/{model_name}:predict", soft_wrap=True, markup=False)
        neighbours = client.similar(image, k=K)
        print_neighbours(f"test image {identity} ({class_name})", neighbours, console)


def first_image(dataset: str, split: str, skip: Collection[str] = ()) -> tuple[str, str, bytes]:
    """Returns id, class name and encoded bytes of the first image of a split but those skipped."""
    return next(stored for stored in stored_images(dataset, split) if stored[0] not in skip)


def stored_images(dataset: str, split: str) -> Iterator[tuple[str, str, bytes]]:
    """Yields id, class name and encoded bytes of every image of a split."""
    import tensorflow_datasets as tfds

    from components.tfds_example_gen.layout import read_layout

    builder = tfds.builder_from_directory(dataset)
    layout = read_layout(builder)
    examples = builder.as_dataset(
        split=split, decoders={layout.image: tfds.decode.SkipDecoding()}
    ).as_numpy_iterator()
    for index, example in enumerate(examples):
        identity = example[layout.identity].decode() if layout.identity else f"{split} {index}"
        yield identity, layout.class_names[int(example[layout.label])], example[layout.image]
