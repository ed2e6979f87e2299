"""The part of a DAG between an indexed model and its push: the check in a server.

The pipeline that trains and the one that only indexes have it in common.
"""

from __future__ import annotations

from tfx import v1 as tfx

from components.serving_check.component import ServingCheck
from components.serving_check.config import ServingCheckConfig
from pipeline.code_hash import code_hash
from pipeline.settings import Settings


def check_config(settings: Settings) -> ServingCheckConfig | None:
    """Returns what settings say of the check; None if models are not checked."""
    check = settings.serving_check
    if not check.enabled:
        return None
    return ServingCheckConfig(
        model_name=settings.serving.model_name,
        gallery_splits=settings.gallery.splits,
        search_is_exact=settings.gallery.search == "exact",
        **check.model_dump(exclude={"enabled"}),
    )


def serving_check(
    examples: tfx.dsl.Channel, model: tfx.dsl.Channel, config: ServingCheckConfig | None
) -> ServingCheck | None:
    """Describes the component.

    Args:
        examples: Images of the dataset.
        model: The SimilarityIndexer's model.
        config: How it is checked; None if it is not.

    Returns:
        The component, whose output `blessing` the Pusher takes; None if models are not checked.
    """
    if config is None:
        return None
    return ServingCheck(
        examples=examples,
        model=model,
        config=config,
        # A name that is executed, not imported: the server's process begins there.
        code_hash=code_hash(
            "components.serving_check.executor", "components.serving_check.guarded_server"
        ),
    )
