"""What the libraries of TFX 1.16 and of TFX 1.21 do differently; nothing else asks which is there.

Each function says what differs, and why it is needed. Whatever both can do alike is done alike,
where it is needed. No library is imported here: a client without TensorFlow uses this too.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.metadata
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from serving.standard_error import silenced


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
    imported, whatever TF_CPP_MIN_LOG_LEVEL says. 2.16, of TFX 1.16, writes nothing, and is left
    alone. What other threads write to the descriptor in these seconds is lost too, so logs that
    matter go to `own_stderr`; and so is what TensorFlow says if it ends the process.
    """
    if "tensorflow" not in sys.modules and not _tensorflow_version().startswith("2.16."):
        sys.meta_path.insert(0, _QuietFinder())


def _tensorflow_version() -> str:
    try:
        return importlib.metadata.version("tensorflow")
    except importlib.metadata.PackageNotFoundError:  # it may be installed under another name
        return ""


class _QuietFinder(importlib.abc.MetaPathFinder):
    """Finds TensorFlow for a loader that silences the descriptor; gone once it is loaded."""

    def __init__(self) -> None:
        self._is_asking = False

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Finds nothing but TensorFlow."""
        if name != "tensorflow" or self._is_asking:
            return None
        self._is_asking = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self._is_asking = False
        if spec and spec.loader:
            load = spec.loader.exec_module

            def quietly(module: ModuleType) -> None:
                sys.meta_path.remove(self)
                with silenced():
                    load(module)

            spec.loader.exec_module = quietly  # type: ignore[method-assign]
        return spec
