"""The Pusher component: TFX's interface, our executor."""

from __future__ import annotations

from tfx import v1 as tfx
from tfx.dsl.components.base import executor_spec

from components.pusher.executor import Executor


class AtomicPusher(tfx.components.Pusher):
    """Publishes blessed models below a folder that a model server watches."""

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)

    def __init__(
        self,
        model: tfx.dsl.Channel,
        model_blessing: tfx.dsl.Channel,
        base_directory: str,
        code_hash: str,
        served: str,
        despite_hold: bool = False,
        infra_blessing: tfx.dsl.Channel | None = None,
    ) -> None:
        """Describes the component.

        Args:
            model: The SavedModel to serve.
            model_blessing: The Evaluator's verdict.
            base_directory: Folder of the version folders; a local path or a bucket URL.
            code_hash: Digest of this component's code; part of the cache key.
            served: What is served now (`versions.newest_digest`). It is part of the cache key, so
                that a version that was removed or replaced by hand is pushed again.
            despite_hold: Push also while a rollback holds pushes back: for edits of what the
                rollback serves.
            infra_blessing: ServingCheck's verdict; None where it was not asked. What it holds of
                the model, which then has warm-up records, is pushed in its place.
        """
        super().__init__(
            model=model,
            model_blessing=model_blessing,
            infra_blessing=infra_blessing,
            push_destination=tfx.proto.PushDestination(
                filesystem=tfx.proto.PushDestination.Filesystem(base_directory=base_directory)
            ),
            custom_config={"code": code_hash, "served": served, "despite_hold": despite_hold},
        )
