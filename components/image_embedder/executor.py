"""The work of ImageEmbedder: each split in Beam, its examples in, records of embeddings out."""

from __future__ import annotations

import dataclasses
import json
import os
from typing import Any

from apache_beam.utils import shared
from tfx.dsl.components.base import base_beam_executor
from tfx.types import artifact_utils
from tfx.utils import path_utils

from components.image_embedder import records
from components.image_embedder.embedding import EmbedSplit

BATCH_SIZE = 32


@dataclasses.dataclass(frozen=True)
class EmbedderConfig:
    """What to embed.

    Attributes:
        splits: Splits of the examples.
        thumbnail_size: Shorter side of thumbnails in pixels.
    """

    splits: tuple[str, ...]
    thumbnail_size: int


class Executor(base_beam_executor.BaseBeamExecutor):
    """Executor of `ImageEmbedder`."""

    def Do(  # noqa: N802
        self,
        input_dict: dict[str, list[Any]],
        output_dict: dict[str, list[Any]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes the records.

        Raises:
            ValueError: A split that the examples lack.
        """
        config = EmbedderConfig(**json.loads(exec_properties["config"]))
        examples = artifact_utils.get_single_instance(input_dict["examples"])
        model = artifact_utils.get_single_instance(input_dict["model"])
        embeddings = artifact_utils.get_single_instance(output_dict["embeddings"])

        present = artifact_utils.decode_split_names(examples.split_names)
        missing = [split for split in config.splits if split not in present]
        if missing:
            raise ValueError(
                f"splits {', '.join(missing)} are to be embedded; "
                f"the data has the splits {', '.join(present)}"
            )
        loaded = shared.Shared()
        with self._make_beam_pipeline() as pipeline:
            for split in config.splits:
                pattern = os.path.join(artifact_utils.get_split_uri([examples], split), "*")
                pipeline | f"Embed[{split}]" >> EmbedSplit(
                    pattern,
                    records.split_folder(embeddings.uri, split),
                    path_utils.serving_model_path(model.uri),
                    thumbnail_size=config.thumbnail_size,
                    batch=BATCH_SIZE,
                    loaded=loaded,
                )
        # Beam keeps what was shared last until something else is: the model need not stay.
        shared.Shared().acquire(set)
