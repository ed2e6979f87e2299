"""Reads text files that configure the server, and follows the model config file as it changes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from serving import model_config
from serving.errors import ServingError
from serving.models import Models

_LOG = logging.getLogger(__name__)

Parsed = TypeVar("Parsed")


def read(path: str, parse: Callable[[str], Parsed]) -> Parsed:
    """Reads and parses a file.

    Args:
        path: A local path, or a URL that TensorFlow reads.
        parse: Makes something of the text, or raises a ServingError.

    Raises:
        OSError: It cannot be read, or makes no sense: the message names it.
    """
    try:
        return parse(_text(path))
    except ServingError as error:
        raise OSError(f"{path}: {error.message}") from error
    except UnicodeDecodeError as error:
        raise OSError(f"{path} is not a text: {error}") from error


def _text(path: str) -> str:
    if "://" not in path:
        with open(path, encoding="utf-8") as file:
            return file.read()
    import tensorflow as tf

    try:
        return tf.io.gfile.GFile(path).read()
    except tf.errors.OpError as error:
        raise OSError(f"cannot read {path}: {error.message}") from error


class ConfigFileFollower:
    """Has the models follow their config file, in a thread of its own.

    A file that is wrong changes nothing; it is tried again, since what it asks for may become
    possible: a label of a version that is being loaded.

    Args:
        path: The file.
        models: What follows it.
        poll_seconds: Time between two looks.
    """

    def __init__(self, path: str, models: Models, poll_seconds: float) -> None:
        self._path, self._models, self._poll_seconds = path, models, poll_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="config-file", daemon=True)

    def start(self) -> None:
        """Begins to look."""
        self._thread.start()

    def stop(self) -> None:
        """Stops looking."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        complaint = ""
        while not self._stopping.wait(self._poll_seconds):
            try:
                configs = read(self._path, model_config.parse)
                if configs != self._models.configs():
                    self._models.configure(configs)
                    _LOG.info("%s was changed: serving %d models", self._path, len(configs))
                complaint = ""
            except Exception as error:  # a bad file must not end the thread
                message = error.message if isinstance(error, ServingError) else str(error)
                if message != complaint:
                    _LOG.error("the model config file is not followed: %s", message)
                complaint = message
