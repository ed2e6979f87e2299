"""Has Transform report the images that it has transformed.

TFX's executor builds its Beam pipeline itself: what it writes examples with is wrapped meanwhile.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import apache_beam as beam
from tfx.components.transform import executor as transform_executor

from trainer_module.progress_log import ImageCounter


class _Count(beam.DoFn):
    """Lets batches through; an element is a pair with a record batch first."""

    def setup(self) -> None:
        self._counter = ImageCounter()

    def process(self, batch: Any) -> Iterator[Any]:
        self._counter.add(batch[0].num_rows)
        yield batch

    def finish_bundle(self) -> None:
        self._counter.flush()


class _Counted(beam.PTransform):
    """Counts what goes into another transform."""

    def __init__(self, counted: beam.PTransform) -> None:
        super().__init__()
        self._counted = counted

    def expand(self, batches: beam.PCollection) -> Any:
        return batches | "Count" >> beam.ParDo(_Count()) | "Counted" >> self._counted


@contextlib.contextmanager
def counted_images() -> Iterator[None]:
    """Makes Transform's Beam pipelines that are built meanwhile count the examples they write."""
    processor = transform_executor.TransformProcessor
    original = processor.__dict__["_EncodeAndWrite"]
    encode_and_write = processor._EncodeAndWrite
    processor._EncodeAndWrite = staticmethod(
        lambda *arguments, **named: _Counted(encode_and_write(*arguments, **named))
    )
    try:
        yield
    finally:
        processor._EncodeAndWrite = original
