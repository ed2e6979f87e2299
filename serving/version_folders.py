"""Finds the version folders of a model; not for loading or choosing among them (`versions.py`).

A version is a folder with a numeric name that holds `saved_model.pb`, the file that whoever pushes
a model writes last: without it the folder is still being copied, or being deleted.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from serving.servable import SAVED_MODEL_FILE

_LARGEST_VERSION = 2**63 - 1


def find(base_path: str) -> dict[int, str]:
    """The versions that can be loaded.

    Args:
        base_path: A local path, or a URL that TensorFlow reads (`gs://…`).

    Returns:
        Folders by version. Names that are not plain numbers are left out; of two names for one
        number (`1`, `001`) the one without leading zeros counts.

    Raises:
        OSError: or TensorFlow's own errors, if the base path cannot be read.
    """
    listdir, exists = _file_functions(base_path)
    folders: dict[int, str] = {}
    # The shorter of two names for one number comes last, and stays.
    for name in sorted((entry.rstrip("/") for entry in listdir(base_path)), key=len, reverse=True):
        if not (name.isascii() and name.isdigit() and int(name) <= _LARGEST_VERSION):
            continue
        folder = f"{base_path.rstrip('/')}/{name}"
        if exists(f"{folder}/{SAVED_MODEL_FILE}"):
            folders[int(name)] = folder
    return folders


def check_base_path(base_path: str) -> None:
    """Makes sure that there is a base path at all.

    Raises:
        OSError: if it does not exist or its file system cannot be asked.
    """
    _, exists = _file_functions(base_path)
    try:
        found = exists(base_path)
    except Exception as error:  # TensorFlow's file systems raise its own errors
        raise OSError(f"cannot read the base path {base_path}: {error}") from error
    if not found:
        raise FileNotFoundError(f"the base path {base_path} does not exist")


def _file_functions(path: str) -> tuple[Callable[[str], list[str]], Callable[[str], bool]]:
    """Lists a folder and tests for existence; TensorFlow is needed, and imported, for URLs only."""
    if "://" not in path:
        return os.listdir, os.path.exists
    import tensorflow as tf

    return tf.io.gfile.listdir, tf.io.gfile.exists
