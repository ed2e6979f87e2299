"""The GalleryEdit component: a ledger as input of ImageEmbedder and SimilarityIndexer."""

# No postponed annotations here: TFX reads the annotations of component functions as objects.

from tfx import v1 as tfx
from tfx.types import artifact_utils

from components.gallery_edit import executor
from components.gallery_edit.artifact import GalleryEdits
from components.gallery_edit.edits import ADDED_SPLIT


@tfx.dsl.components.component
def GalleryEdit(  # noqa: N802
    examples: tfx.dsl.components.OutputArtifact[tfx.types.standard_artifacts.Examples],
    edits: tfx.dsl.components.OutputArtifact[GalleryEdits],
    ledger: tfx.dsl.components.Parameter[str],
    digest: tfx.dsl.components.Parameter[str],
    code_hash: tfx.dsl.components.Parameter[str],
) -> None:
    """Brings what was changed by hand into the pipeline.

    Args:
        examples: Gets the added photos, as the split `added`.
        edits: Gets the ids that were added and removed.
        ledger: Folder of the ledger; a local path or a bucket URL.
        digest: Of the ledger; part of the cache key.
        code_hash: Digest of this component's code; part of the cache key.
    """
    del code_hash  # Only the cache key needs it.
    examples.split_names = artifact_utils.encode_split_names([ADDED_SPLIT])
    executor.publish(ledger, digest, examples.uri, edits.uri)
