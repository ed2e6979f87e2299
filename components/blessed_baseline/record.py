"""A file that remembers the model last blessed: what a resolver would find in ML Metadata."""

from __future__ import annotations

import json
import os
from typing import Any

from tfx.dsl.io import fileio
from tfx.utils import io_utils

# Custom properties of the baseline's artifact: where the file is, and whether it named a model.
RECORD_KEY = "record"
FOUND_KEY = "found"


def last_blessed(path: str) -> str | None:
    """Returns the URI of the model last blessed; None if there is none, or it is gone.

    Args:
        path: The file; a local path or a bucket URL.

    Raises:
        ValueError: The file holds something else.
    """
    if not fileio.exists(path):
        return None
    text = io_utils.read_string_file(path)
    try:
        uri = json.loads(text)["model"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} does not say which model was blessed last; without the file, the next model "
            "is compared with none"
        ) from error
    return uri if fileio.exists(uri) else None


def remember(path: str, model: str) -> None:
    """Writes that a model was blessed."""
    fileio.makedirs(os.path.dirname(path))
    partial = f"{path}.partial"
    io_utils.write_string_file(partial, json.dumps({"model": model}))
    fileio.rename(partial, path, overwrite=True)


def take_baseline(inputs: dict[str, list[Any]], key: str) -> str | None:
    """Removes a baseline that was not found from an evaluator's inputs.

    Args:
        inputs: Artifacts by key; changed.
        key: Of the baseline.

    Returns:
        Where to remember a blessing; None if the baseline comes from a resolver, which needs none.
    """
    artifacts = inputs.get(key) or []
    record = artifacts[0].get_string_custom_property(RECORD_KEY) if artifacts else ""
    if record and not artifacts[0].get_int_custom_property(FOUND_KEY):
        del inputs[key]
    return record or None
