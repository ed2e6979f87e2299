"""The TfdsExampleGen component: its inputs, outputs and execution properties.

The folder and the file patterns are real, so that TFX's driver fingerprints the data and a changed
dataset never meets a stale cache.
"""

from __future__ import annotations

from tfx import v1 as tfx
from tfx.components.example_gen.component import FileBasedExampleGen
from tfx.dsl.components.base import executor_spec

from components.tfds_example_gen.config import IngestionConfig
from components.tfds_example_gen.executor import Executor


class TfdsExampleGen(FileBasedExampleGen):
    """Reads a prepared TFDS folder (`DATA_DIR/NAME/VERSION`) into Examples.

    Each example has `image` (the original encoded bytes), `label` (int64), `class_name`, `id` and
    `split` (bytes). The artifact also holds `ingestion.json`: which images could not be used and
    why, and which are copies of each other.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(Executor)

    def __init__(self, folder: str, splits: tuple[str, ...], config: IngestionConfig) -> None:
        """Describes the component.

        Args:
            folder: The prepared folder; a local path or a bucket URL.
            splits: Names of the splits to read, each of which has files `*-SPLIT.tfrecord*`; of
                copies in several splits, those in the first count as the original.
            config: How images are checked.
        """
        super().__init__(
            input_base=folder,
            input_config=tfx.proto.Input(
                splits=[
                    tfx.proto.Input.Split(name=name, pattern=f"*-{name}.tfrecord*")
                    for name in splits
                ]
            ),
            custom_config=config.pack(),
        )
