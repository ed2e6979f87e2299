"""What the libraries of TFX 1.16 and of TFX 1.21 do differently; nothing else asks which is there.

Each function says what differs, and why it is needed. Whatever both can do alike is done alike,
where it is needed. No library is imported here: a client without TensorFlow uses this too.
"""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any, TextIO


def message_class(descriptor: Any, pool: Any) -> Any:
    """Returns the class of a protobuf message.

    TFX 1.16 on Python 3.10 has protobuf 3.20, where a factory makes it; protobuf 5 and later, which
    TFX 1.21 has, know the function alone.

    Args:
        descriptor: Of the message.
        pool: The `DescriptorPool` that has it.
    """
    from google.protobuf import message_factory

    if hasattr(message_factory, "GetMessageClass"):
        return message_factory.GetMessageClass(descriptor)
    return message_factory.MessageFactory(pool).GetPrototype(descriptor)


def import_tensorflow_quietly() -> None:
    """Makes this process's import of TensorFlow, whoever it is that imports it, print nothing.

    TensorFlow 2.21, of TFX 1.21, writes notices of its kernels to file descriptor 2 while it is
    imported, whatever TF_CPP_MIN_LOG_LEVEL says; 2.16 writes nothing. What other threads write to
    the descriptor in these seconds is lost too, so logs that matter go to `own_stderr`.
    """
    if "tensorflow" not in sys.modules:
        sys.meta_path.insert(0, _QuietFinder())


class _QuietFinder(importlib.abc.MetaPathFinder):
    """Finds TensorFlow, once, for a loader that silences the descriptor."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Finds nothing but TensorFlow."""
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec and spec.loader:
            load = spec.loader.exec_module

            def quietly(module: ModuleType) -> None:
                with _silenced():
                    load(module)

            spec.loader.exec_module = quietly  # type: ignore[method-assign]
        return spec


@contextlib.contextmanager
def _silenced() -> Iterator[None]:
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def own_stderr() -> TextIO:
    """Returns a stream to where stderr goes now, also while the descriptor is silenced."""
    try:
        descriptor = os.dup(sys.stderr.fileno())
    except (AttributeError, OSError, ValueError):  # stderr is no file, as under a test runner
        return sys.stderr
    return os.fdopen(descriptor, "w", buffering=1, errors="backslashreplace")
