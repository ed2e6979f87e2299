"""The AnomalyGate component: passes, or raises with the anomalies' text."""

# No postponed annotations here: TFX reads the annotations of component functions as objects.

from tfx import v1 as tfx
from tfx.types import artifact_utils

from components.anomaly_gate import executor


@tfx.dsl.components.component
def AnomalyGate(  # noqa: N802
    anomalies: tfx.dsl.components.InputArtifact[tfx.types.standard_artifacts.ExampleAnomalies],
    code_hash: tfx.dsl.components.Parameter[str],
) -> tfx.dsl.components.OutputDict(verdict=str):  # type: ignore[valid-type]
    """Raises `DataAnomaliesError` when any split has an anomaly.

    Args:
        anomalies: ExampleValidator's output.
        code_hash: Digest of this component's code; part of the cache key.

    Returns:
        `verdict`: which splits passed, so that a cached pass is recognised.
    """
    del code_hash  # Only the cache key needs it.
    splits = artifact_utils.decode_split_names(anomalies.split_names)
    executor.check(anomalies.uri, splits)
    return {"verdict": f"no anomalies in {', '.join(splits)}"}
