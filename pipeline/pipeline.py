"""The DAG: which components there are and what flows between them.

Runners differ in what they pass to `create_pipeline`, never in the DAG. Where the data comes from
is the business of `prepare.py`; how the DAG is executed, of the runners.
"""

from __future__ import annotations

from collections.abc import Sequence

from tfx import v1 as tfx

from components.anomaly_gate.component import AnomalyGate
from components.bounded_transform.component import BATCH_SIZE_KEY, ORDER_KEY, BoundedTransform
from components.image_embedder.component import ImageEmbedder
from components.image_embedder.executor import EmbedderConfig
from components.leak_check.component import LeakCheck
from components.leak_check.executor import LeakCheckConfig
from components.pusher.component import AtomicPusher
from components.similarity_indexer.component import SimilarityIndexer
from components.tfds_example_gen.component import TfdsExampleGen
from components.tfds_example_gen.config import IngestionConfig
from pipeline.code_hash import code_hash
from pipeline.evaluation_nodes import evaluation_nodes
from pipeline.gallery_nodes import gallery_edit_nodes, indexer_config
from pipeline.places import Places
from pipeline.prepare import SPLITS
from pipeline.report_node import report_node
from pipeline.serving_check_node import check_config, serving_check
from pipeline.settings import Settings

PREPROCESSING = "trainer_module.preprocessing"
TRAINER = "trainer_module.trainer"


def create_pipeline(
    settings: Settings,
    places: Places,
    *,
    beam_args: Sequence[str] = (),
    metadata_connection_config: tfx.proto.orchestration.ConnectionConfig | None = None,
) -> tfx.dsl.Pipeline:
    """Builds the DAG.

    Args:
        settings: All knobs.
        places: Where data is and results go.
        beam_args: Apache Beam options of every Beam step.
        metadata_connection_config: The ML Metadata store; None where the orchestrator has its own.

    Returns:
        The pipeline, ready for any TFX runner.
    """
    example_gen = TfdsExampleGen(
        folder=places.dataset,
        splits=SPLITS,
        config=IngestionConfig(
            canonical_size=settings.images.canonical_size,
            max_bad_share=settings.data.max_bad_share,
            drop_leaks=settings.data.drop_leaks,
            held_out_classes=settings.data.division.held_out_classes,
            held_out_only=settings.data.division.held_out_only,
            held_out_seed=settings.data.division.seed,
            code=code_hash("components.tfds_example_gen.executor"),
        ),
    )
    schema_gen = tfx.components.ImportSchemaGen(schema_file=places.schema)
    statistics_gen = tfx.components.StatisticsGen(
        examples=example_gen.outputs["examples"], schema=schema_gen.outputs["schema"]
    )
    example_validator = tfx.components.ExampleValidator(
        statistics=statistics_gen.outputs["statistics"], schema=schema_gen.outputs["schema"]
    )
    gate = AnomalyGate(
        anomalies=example_validator.outputs["anomalies"],
        code_hash=code_hash("components.anomaly_gate.executor"),
    )
    transform = BoundedTransform(
        examples=example_gen.outputs["examples"],
        schema=schema_gen.outputs["schema"],
        preprocessing_fn=f"{PREPROCESSING}.preprocessing_fn",
        # Evaluation and indexing read raw examples, as a server does.
        splits_config=tfx.proto.SplitsConfig(analyze=["train"], transform=["train", "validation"]),
        # StatisticsGen has made those of the raw data, and PNGs tell no more.
        disable_statistics=True,
        custom_config={
            "canonical_size": settings.images.canonical_size,
            BATCH_SIZE_KEY: settings.images.transform_batch_size,
            ORDER_KEY: "id",
            "code": code_hash(PREPROCESSING, "components.bounded_transform.component"),
        },
    ).with_id("Transform")
    transform.add_upstream_node(gate)
    trainer = tfx.components.Trainer(
        run_fn=f"{TRAINER}.run_fn",
        examples=transform.outputs["transformed_examples"],
        transform_graph=transform.outputs["transform_graph"],
        train_args=tfx.proto.TrainArgs(splits=["train"]),
        eval_args=tfx.proto.EvalArgs(splits=["validation"]),
        custom_config={
            "config": {
                "canonical_size": settings.images.canonical_size,
                "model": settings.model.model_dump(),
                "training": settings.training.model_dump(),
            },
            "checkpoints": places.checkpoints,
            "code": code_hash(TRAINER),
        },
    )
    evaluation, gallery = settings.evaluation, settings.gallery
    embedder = ImageEmbedder(
        examples=example_gen.outputs["examples"],
        model=trainer.outputs["model"],
        config=EmbedderConfig(settings.embedded_splits, gallery.thumbnail_size),
        code_hash=code_hash("components.image_embedder.executor"),
    )
    leak_check = None
    if evaluation.near_duplicates != "ignore":
        leak_check = LeakCheck(
            embeddings=embedder.outputs["embeddings"],
            config=LeakCheckConfig(SPLITS, evaluation.duplicate_likeness),
            code_hash=code_hash("components.leak_check.executor"),
        )
    left_out = None
    if leak_check and evaluation.near_duplicates == "leave_out":
        left_out = leak_check.outputs["near_duplicates"]
    measured = evaluation_nodes(
        evaluation,
        example_gen.outputs["examples"],
        trainer.outputs["model"],
        left_out,
        places.baseline,
    )
    edit = added = None
    if places.ledger:
        edit, added = gallery_edit_nodes(
            places.ledger, trainer.outputs["model"], gallery.thumbnail_size
        )
    indexer = SimilarityIndexer(
        embeddings=embedder.outputs["embeddings"],
        model=trainer.outputs["model"],
        added=added.outputs["embeddings"] if added else None,
        edits=edit.outputs["edits"] if edit else None,
        config=indexer_config(gallery),
        code_hash=code_hash("components.similarity_indexer.executor"),
    )
    check = serving_check(
        example_gen.outputs["examples"], indexer.outputs["servable"], check_config(settings)
    )
    pusher = AtomicPusher(
        model=indexer.outputs["servable"],
        model_blessing=measured.evaluator.outputs["blessing"],
        infra_blessing=check.outputs["blessing"] if check else None,
        base_directory=places.serving,
        code_hash=code_hash("components.pusher.executor"),
        served=places.served,
    ).with_id("Pusher")
    report = report_node(
        settings,
        examples=example_gen.outputs["examples"],
        embeddings=embedder.outputs["embeddings"],
        model_run=trainer.outputs["model_run"],
        evaluation=measured.evaluator.outputs["evaluation"],
        evaluation_blessing=measured.evaluator.outputs["blessing"],
        test_evaluation=measured.test_evaluator.outputs["evaluation"],
        servable=indexer.outputs["servable"],
        near_duplicates=leak_check.outputs["near_duplicates"] if leak_check else None,
        serving_check=check.outputs["blessing"] if check else None,
    )
    if report:
        # Whatever goes wrong with a page, the model is pushed by then.
        report.add_upstream_node(pusher)
    return tfx.dsl.Pipeline(
        pipeline_name=settings.run.pipeline_name,
        pipeline_root=places.pipeline_root,
        components=[
            example_gen,
            schema_gen,
            statistics_gen,
            example_validator,
            gate,
            transform,
            trainer,
            embedder,
            *([leak_check] if leak_check else []),
            measured.baseline,
            measured.evaluator,
            measured.test_evaluator,
            *([edit, added] if edit else []),
            indexer,
            *([check] if check else []),
            pusher,
            *([report] if report else []),
        ],
        enable_cache=settings.run.cache,
        metadata_connection_config=metadata_connection_config,
        beam_pipeline_args=list(beam_args),
    )
