"""Runs the pipeline that indexes without training, on this machine.

`workplace` holds a workdir for one command; what it yields knows what is served and what the ledger
says, and makes a new index. What changes are allowed is decided in `gallery_changes.py`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import gc
import pathlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console

from components.gallery_edit import ledger as gallery_ledger
from components.gallery_edit.ledger import GalleryError, Ledger
from pipeline.damaged_results import blame
from pipeline.disk_space import full_disk_told
from pipeline.local_runner import local_beam_args
from pipeline.metadata_store import connection_config, is_empty
from pipeline.orphaned_results import open_store_of
from pipeline.run_failure import RunFailedError, explain
from pipeline.run_log import run_log
from pipeline.saved_settings import saved_metadata
from pipeline.settings import RunSettings, Settings
from pipeline.workdir_folder import writable_workdir
from pipeline.workdir_layout import ledger_folder, served_folder
from pipeline.workdir_lock import locked

if TYPE_CHECKING:
    from components.image_embedder.executor import EmbedderConfig
    from components.serving_check.config import ServingCheckConfig
    from components.similarity_indexer.executor import IndexerConfig
    from pipeline.index_pipeline import IndexSources
    from pipeline.served_model import ServedModel


@dataclasses.dataclass(frozen=True)
class Indexed:
    """A new index that is served.

    Attributes:
        path: Folder of its version.
        gallery_size: Images that can be found.
    """

    path: str
    gallery_size: int


@dataclasses.dataclass(frozen=True)
class Workplace:
    """A workdir that is held for one command.

    Attributes:
        root: The workdir.
        serving: Folder of the served model's versions.
        served: What is served, and what it was made of.
        console: What the user sees.
        log: What libraries have to say.
        metadata: How TFX connects to the ML Metadata store.
        store: That store.
    """

    root: pathlib.Path
    serving: pathlib.Path
    served: ServedModel
    console: Console
    log: pathlib.Path
    metadata: Any
    store: Any

    @property
    def ledger_folder(self) -> pathlib.Path:
        """Where the ledger is."""
        return ledger_folder(self.root)

    def ledger(self) -> Ledger:
        """Reads the ledger."""
        return gallery_ledger.read(self.ledger_folder)

    def served_images(self, version: int | None = None) -> dict[str, str]:
        """Class names of the images that a version can find, by id; None for the newest.

        Raises:
            GalleryError: The version is no similarity model.
        """
        from components.similarity_indexer.gallery_ids import gallery_images

        return gallery_images(str(self.serving / str(version or self.served.version)))

    def index_served(self) -> Indexed:
        """Makes the served index anew, as it was but for what the ledger says by now.

        Raises:
            GalleryError: What it was made of is gone.
            RunFailedError: A component failed, or the index was refused.
        """
        embeddings = self.served.sources.embeddings
        if embeddings is None or not pathlib.Path(embeddings).exists():
            raise GalleryError(
                f"{embeddings}, the embedded gallery, is gone; flowersim index rebuild embeds it "
                "anew"
            )
        return self._index(
            self.served.sources, self.served.embedder, self.served.indexer, self.served.check
        )

    def index_anew(self, settings: Settings) -> Indexed:
        """Makes an index as settings say: ingests what changed, embeds every image of the gallery.

        Args:
            settings: Of them, `data`, `images`, `gallery`, `serving_check` and `run` count.

        Raises:
            PrepareError: The dataset cannot be brought in.
            RunFailedError: A component failed, or the index was refused.
        """
        from components.image_embedder.executor import EmbedderConfig
        from pipeline.gallery_nodes import indexer_config
        from pipeline.serving_check_node import check_config

        gallery = settings.gallery
        splits = dict.fromkeys((*gallery.splits, gallery.calibration_split))
        examples, images = self._ingest(settings)
        return self._index(
            dataclasses.replace(self.served.sources, examples=examples, embeddings=None),
            EmbedderConfig(tuple(splits), gallery.thumbnail_size),
            indexer_config(gallery),
            check_config(settings),
            run=settings.run,
            images=sum(images[split] for split in splits),
        )

    def tell(self, indexed: Indexed) -> Indexed:
        """Says what is served by now, and returns it."""
        self.console.print(f"the gallery has {indexed.gallery_size} images")
        self.console.print(f"pushed to {indexed.path}", soft_wrap=True, markup=False)
        return indexed

    def _index(
        self,
        sources: IndexSources,
        embedder: EmbedderConfig,
        indexer: IndexerConfig,
        check: ServingCheckConfig | None,
        *,
        run: RunSettings | None = None,
        images: int = 0,
    ) -> Indexed:
        from components.pusher.versions import newest_digest
        from pipeline.gallery_nodes import ADDED_EMBEDDER
        from pipeline.index_pipeline import SUFFIX, IndexPlaces, create_index_pipeline
        from pipeline.lineage import latest_run
        from pipeline.places import ledger_in

        run = run or RunSettings()
        name = f"{self.served.pipeline_name}{SUFFIX}"
        dag = create_index_pipeline(
            name,
            sources,
            IndexPlaces(
                pipeline_root=str(self.root / "pipeline_root"),
                serving=str(self.serving),
                served=newest_digest(str(self.serving)),
                ledger=ledger_in(self.root),
            ),
            embedder=embedder,
            indexer=indexer,
            check=check,
            # Embedding anew is what a rebuild is asked for.
            enable_cache=sources.embeddings is not None,
            beam_args=local_beam_args(run.beam_args),
            metadata_connection_config=self.metadata,
        )
        self.execute(dag, {"ImageEmbedder": images, ADDED_EMBEDDER: len(self.ledger().added)})
        finished = latest_run(self.store, name)
        assert finished is not None, "a run that has just finished"
        pushed = finished.outputs["Pusher", "pushed_model"].properties
        if not pushed.get("pushed"):
            from pipeline import serving_summary

            why = serving_summary.why_not_pushed(serving_summary.read(finished))
            raise RunFailedError(
                "\n".join(
                    ["the new index is not pushed, and the old one still served", *why[:-1]]
                    + [f"full log  {self.log}"]
                )
            )
        servable = finished.outputs["SimilarityIndexer", "servable"].properties
        return Indexed(str(pushed["pushed_destination"]), int(servable["gallery_size"]))

    def _ingest(self, settings: Settings) -> tuple[str, Mapping[str, int]]:
        """Brings in the data as a run does: the URI of the examples, and images by split."""
        from pipeline.lineage import latest_run
        from pipeline.partial_run import select
        from pipeline.pipeline import create_pipeline
        from pipeline.places import places_in
        from pipeline.prepare import prepare

        with self.console.status("preparing the data"):
            data = prepare(settings.data, self.root)
        places = places_in(
            str(self.root),
            settings.serving.model_name,
            dataset=data.folder,
            schema=data.schema_path,
        )
        dag = create_pipeline(
            settings,
            places,
            beam_args=local_beam_args(settings.run.beam_args),
            metadata_connection_config=self.metadata,
        )
        names, options = select(dag, None, "AnomalyGate")
        self.execute(dag, {"TfdsExampleGen": sum(data.split_sizes.values())}, names, options)
        run = latest_run(self.store, settings.run.pipeline_name)
        assert run is not None, "a run that has just finished"
        return run.outputs["TfdsExampleGen", "examples"].uri, data.split_sizes

    def execute(
        self,
        dag: Any,
        images: Mapping[str, int],
        names: list[str] | None = None,
        options: Any = None,
    ) -> None:
        """Executes a DAG, or the part with these names that the options select.

        Args:
            dag: The TFX pipeline.
            images: How many images components work on, by their ids, where that is known.
            names: Ids of the components that the options select; None for all.
            options: TFX's run options.

        Raises:
            RunFailedError: A component failed.
        """
        from tfx import v1 as tfx

        from pipeline.lineage import artifact_folders, latest_run
        from pipeline.progress import ProgressHandler

        names = names or [node.id for node in dag.components]
        with ProgressHandler(self.console, names, images) as progress:
            try:
                tfx.orchestration.LocalDagRunner().run(dag, options)
            except Exception as failure:
                component = progress.running.id if progress.running else "the pipeline"
                name = dag.pipeline_info.pipeline_name
                cause = blame(
                    failure,
                    lambda: artifact_folders(latest_run(self.store, name)),
                    "flowersim index rebuild",
                )
                raise RunFailedError(
                    explain(component, cause, self.log, self.root, cached=dag.enable_cache)
                ) from cause


@contextlib.contextmanager
def workplace(
    workdir: pathlib.Path, *, verbose: bool = False, task: str = "index"
) -> Iterator[Workplace]:
    """Holds a workdir in which a model is served.

    Args:
        workdir: Of the run that pushed it.
        verbose: Print what libraries log in place of writing it to a file.
        task: First part of the log file's name.

    Raises:
        FileNotFoundError: No model was pushed there.
        WorkdirError: The workdir cannot be written to.
        MetadataStoreError: The store is damaged, or not the one that the workdir's results are of.
        DiskFullError: A disk is full.
        WorkdirBusyError: Another process works there.
        GalleryError: What is served cannot be traced back to a run.
    """
    serving = served_folder(workdir.expanduser().resolve())
    root = writable_workdir(workdir)
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    log = root / "logs" / f"{task}-{stamp}.log"
    with (
        full_disk_told(root, but=RunFailedError),
        locked(root),
        run_log(log, verbose=verbose) as console,
    ):
        with console.status("loading TFX"):
            from pipeline.served_model import trace
        url = saved_metadata(root)
        if is_empty(root, url):
            raise FileNotFoundError(f"{root / 'metadata.sqlite'} is gone, and with it what was run")
        metadata = connection_config(root, url)
        store = open_store_of(root / "pipeline_root", metadata)
        served = trace(store, str(serving))
        yield Workplace(root, serving, served, console, log, metadata, store)
        # Graphs are full of cycles, and TensorFlow complains of those freed at the very end.
        gc.collect()
