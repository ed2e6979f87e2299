"""Where a pipeline reads and writes, and where that is for runs on this machine.

Of deployed pipelines: `deployment/places.py`. What commands look up in a workdir without a run:
`workdir_layout.py`.
"""

from __future__ import annotations

import dataclasses
import os

from components.gallery_edit import ledger as gallery_ledger
from pipeline.workdir_layout import ledger_folder


@dataclasses.dataclass(frozen=True)
class LedgerPlace:
    """A ledger, and what it says now.

    Attributes:
        folder: Local path, or bucket URL.
        digest: Of the ledger; part of the cache key.
    """

    folder: str
    digest: str

    def __bool__(self) -> bool:
        """Whether it changes anything."""
        return bool(self.digest)


def ledger_in(workdir: str | os.PathLike[str]) -> LedgerPlace:
    """Returns the ledger of a workdir, which may say nothing.

    Raises:
        GalleryError: It cannot be read.
    """
    folder = str(ledger_folder(workdir))
    return LedgerPlace(folder, gallery_ledger.read(folder).digest)


@dataclasses.dataclass(frozen=True)
class Places:
    """Where a pipeline reads and writes; local paths or bucket URLs.

    Attributes:
        dataset: The prepared TFDS folder.
        schema: The curated schema file.
        pipeline_root: Artifacts of all runs.
        checkpoints: State of interrupted trainings.
        serving: Folder of the served model's versions.
        served: What is served now, see `AtomicPusher`.
        ledger: What was changed in the gallery by hand; None if nothing was.
        baseline: File that remembers the model last blessed, for orchestrators without resolvers;
            None where ML Metadata knows it.
    """

    dataset: str
    schema: str
    pipeline_root: str
    checkpoints: str
    serving: str
    served: str = ""
    ledger: LedgerPlace | None = None
    baseline: str | None = None


def places_in(workdir: str, model_name: str, *, dataset: str, schema: str) -> Places:
    """Returns the places of runs whose results all lie below one folder."""
    from components.pusher.versions import newest_digest

    serving = os.path.join(workdir, "serving", model_name)
    return Places(
        dataset=dataset,
        schema=schema,
        pipeline_root=os.path.join(workdir, "pipeline_root"),
        checkpoints=os.path.join(workdir, "checkpoints"),
        serving=serving,
        served=newest_digest(serving),
        ledger=ledger_in(workdir) or None,
    )
