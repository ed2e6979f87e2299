"""Waits for what Vertex AI does in the background."""

from __future__ import annotations

import concurrent.futures
from collections.abc import Callable
from typing import Any

from pipeline.vertex_ai.errors import VertexUnreachableError, explained


def finished(task: str, begin: Callable[[], Any], *, timeout: float) -> Any:
    """Begins a long-running operation and waits for its end.

    Args:
        task: What is being done, as the end of "cannot …".
        begin: The call that returns the operation.
        timeout: Seconds to wait at most.

    Returns:
        What the operation gives.

    Raises:
        VertexError: It fails, or is not done in time; then it goes on without us.
    """
    try:
        with explained(task):
            return begin().result(timeout=timeout)
    except concurrent.futures.TimeoutError as error:
        raise VertexUnreachableError(
            f"after {timeout / 60:.0f} minutes Vertex AI is not done yet; it goes on: {task}"
        ) from error
