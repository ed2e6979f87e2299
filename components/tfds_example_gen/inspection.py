"""Tells which images the pipeline could not decode, and why, in words for a person.

The verdict is that of the decoder that Transform, the evaluators and the served model use: what
passes here fails nowhere later.
"""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam
import tensorflow as tf
from apache_beam.pvalue import TaggedOutput
from apache_beam.utils import shared

from components.tfds_example_gen.images import Image
from trainer_module.images import SIGNATURES, canonical
from trainer_module.progress_log import ImageCounter

BAD = "bad"

_TOO_LARGE = "too many pixels"


class Inspector:
    """Looks at encoded images."""

    def __init__(self, canonical_size: int) -> None:
        """Prepares for decoding to `canonical_size`, the shorter side in pixels."""
        # Only what decoding comes to is asked for, so nothing is copied out of TensorFlow.
        self._decode = tf.function(
            lambda content: tf.shape(canonical(content, canonical_size)),
            input_signature=[tf.TensorSpec([], tf.string)],
        )

    def fault(self, content: bytes) -> str | None:
        """Returns why an encoded image cannot be used, or None if it can."""
        if not content:
            return "the file is empty"
        kind = next((k for k, magic in SIGNATURES.items() if content.startswith(magic)), None)
        if kind is None:
            return f"not an image in {', '.join(list(SIGNATURES)[:-1])} or {list(SIGNATURES)[-1]}"
        try:
            self._decode(tf.constant(content))
        except tf.errors.OpError as error:
            if _TOO_LARGE in error.message:
                return f"a {kind} with too many pixels to decode safely"
            return f"a {kind} that is damaged or cut short"
        return None


class SortOut(beam.DoFn):
    """Passes good images on; yields `(image without content, fault)` to the output `BAD`."""

    def __init__(self, canonical_size: int, inspector: shared.Shared) -> None:
        """Keeps the size; `inspector` holds the process's `Inspector`, one for all splits."""
        self._canonical_size = canonical_size
        self._shared = inspector

    def setup(self) -> None:
        """Traces the decoder, once for each process."""
        self._inspector = self._shared.acquire(
            lambda: Inspector(self._canonical_size), tag=str(self._canonical_size)
        )
        self._counter = ImageCounter()

    def process(self, image: Image) -> Iterator[Image | TaggedOutput]:
        """Judges one image."""
        fault = self._inspector.fault(image.content)
        self._counter.add(1)
        if fault is None:
            yield image
        else:
            yield TaggedOutput(BAD, (image._replace(content=b""), fault))

    def finish_bundle(self) -> None:
        """Reports the rest."""
        self._counter.flush()
