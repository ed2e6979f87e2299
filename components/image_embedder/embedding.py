"""The Beam part: examples in, records of embeddings and thumbnails out, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
import tensorflow as tf
from apache_beam.utils import shared

from components.image_embedder import records
from trainer_module import features, images
from trainer_module.progress_log import ImageCounter

JPEG_QUALITY = 85


class _Embedder:
    """A loaded model with a thumbnail function beside it."""

    def __init__(self, model_folder: str, thumbnail_size: int) -> None:
        self._model = tf.saved_model.load(model_folder)
        self._embed = self._model.signatures["serving_default"]
        # tf.function, so that drawing thumbnails is traced once.
        self._thumbnail = tf.function(
            lambda encoded: tf.io.encode_jpeg(
                images.canonical(encoded, thumbnail_size), quality=JPEG_QUALITY
            ),
            input_signature=[tf.TensorSpec([], tf.string)],
        )

    def __call__(self, serialized: list[bytes]) -> Iterator[bytes]:
        """Yields one record for each serialized example."""
        batch = tf.constant(serialized)
        embeddings = self._embed(examples=batch)["embedding"].numpy()
        parsed = {key: value.numpy() for key, value in features.parse_raw(batch).items()}
        for index, embedding in enumerate(embeddings):
            image = records.EmbeddedImage(
                identity=parsed[features.ID][index],
                label=int(parsed[features.LABEL][index]),
                class_name=parsed[features.CLASS_NAME][index],
                split=parsed[features.SPLIT][index],
                embedding=embedding,
                thumbnail=self._thumbnail(parsed[features.IMAGE][index]).numpy(),
            )
            yield records.encode(image)


class _Embed(beam.DoFn):
    """Embeds batches of serialized examples; the model is loaded once for each process."""

    def __init__(self, model_folder: str, thumbnail_size: int, loaded: shared.Shared) -> None:
        self._model_folder = model_folder
        self._thumbnail_size = thumbnail_size
        self._loaded = loaded

    def setup(self) -> None:
        self._embedder = self._loaded.acquire(
            lambda: _Embedder(self._model_folder, self._thumbnail_size), tag=self._model_folder
        )
        self._counter = ImageCounter()

    def process(self, batch: list[bytes]) -> Iterator[bytes]:
        yield from self._embedder(batch)
        self._counter.add(len(batch))

    def finish_bundle(self) -> None:
        self._counter.flush()


class EmbedSplit(beam.PTransform):
    """Reads TFRecords of raw examples and writes records of embedded images."""

    def __init__(
        self,
        pattern: str,
        output_folder: str,
        model_folder: str,
        *,
        thumbnail_size: int,
        batch: int,
        loaded: shared.Shared,
    ) -> None:
        """Keeps the paths.

        Args:
            pattern: Files with serialized raw examples.
            output_folder: Where records go.
            model_folder: The Trainer's SavedModel.
            thumbnail_size: Shorter side of thumbnails in pixels.
            batch: Images embedded at a time.
            loaded: Holds the loaded model of a process; one for all splits of a pipeline.
        """
        super().__init__()
        self._pattern = pattern
        self._prefix = f"{output_folder}/{records.FILE_PREFIX}"
        self._embed = _Embed(model_folder, thumbnail_size, loaded)
        self._batch = batch

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection:
        """Builds the steps."""
        return (
            pipeline
            | "Read" >> beam.io.ReadFromTFRecord(self._pattern)
            # Reading is one bundle a file, and embedding takes longer.
            | "Spread" >> beam.Reshuffle()
            | "Batch" >> beam.BatchElements(min_batch_size=1, max_batch_size=self._batch)
            | "Embed" >> beam.ParDo(self._embed)
            | "Write"
            >> beam.io.WriteToTFRecord(
                self._prefix,
                file_name_suffix=records.FILE_SUFFIX,
                compression_type=beam.io.filesystem.CompressionTypes.GZIP,
            )
        )
