"""Imports TFX without what only its components for Google's training and serving services need.

flowersim has components of its own for all that those do.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any

_POSTPONED = "tfx.v1.extensions.google_cloud_ai_platform"


def import_tfx_swiftly() -> None:
    """Makes this process's import of `tfx.v1`, whoever it is that imports it, a quarter shorter.

    That part of it imports Vertex AI's clients of every version, which takes longer than Beam and
    TFMA together. It is imported when something is asked of it.
    """
    if "tfx.v1" not in sys.modules:
        sys.modules.setdefault(_POSTPONED, _Postponed(_POSTPONED))


class _Postponed(ModuleType):
    """Stands for a module until an attribute of it is read."""

    def __getattr__(self, name: str) -> Any:
        # What the import system asks of every module, and what a module need not have.
        if name.startswith("__"):
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)
