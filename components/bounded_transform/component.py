"""TFX's Transform, reading few images at a time, and writing examples in a fixed order.

TFX's own batches grow to 1,000 examples. At 4 MB for a photo that is 4 GB of input before a single
one is decoded.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from tfx import v1 as tfx
from tfx.components.transform import executor as transform_executor
from tfx.dsl.components.base import executor_spec
from tfx.types import artifact_utils, standard_component_specs

from components.bounded_transform.counted import counted_images
from components.bounded_transform.ordered import put_in_order
from trainer_module.progress_log import report

BATCH_SIZE_KEY = "batch_size"
ORDER_KEY = "order_by"


class Executor(transform_executor.Executor):
    """Transform's executor, with batch size and order taken from `custom_config`."""

    def Do(  # noqa: N802
        self, input_dict: Any, output_dict: Any, exec_properties: dict[str, Any]
    ) -> None:
        """Runs Transform with batches of the configured size, and puts in order what it wrote."""
        config = json.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
        with _batches_of(int(config[BATCH_SIZE_KEY])), counted_images():
            super().Do(input_dict, output_dict, exec_properties)
        report("putting the examples in order")
        for examples in output_dict[standard_component_specs.TRANSFORMED_EXAMPLES_KEY]:
            for split in artifact_utils.decode_split_names(examples.split_names):
                folder = artifact_utils.get_split_uri([examples], split)
                put_in_order(folder, config[ORDER_KEY], self._make_beam_pipeline)


@contextlib.contextmanager
def _batches_of(size: int) -> Iterator[None]:
    """Makes Transform's Beam pipelines that are built meanwhile read `size` examples at a time.

    TFX leaves the choice to a class that its executor makes itself and that no argument reaches.
    """
    processor = transform_executor.TransformProcessor
    original = processor._GetDesiredBatchSize
    processor._GetDesiredBatchSize = lambda *_: size
    try:
        yield
    finally:
        processor._GetDesiredBatchSize = original


class BoundedTransform(tfx.components.Transform):
    """Transform of images, told more in its `custom_config`.

    That holds `batch_size`, the images in memory at once, and `order_by`, the transformed feature
    with the examples' ids, by which those are put in order.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)
