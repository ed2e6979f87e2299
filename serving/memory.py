"""Gives memory that was freed back to the operating system."""

from __future__ import annotations

import ctypes
import gc
import sys


def release() -> None:
    """Collects garbage and, with glibc, empties what its allocator keeps of freed memory.

    A loaded graph is full of cycles, so without a collection its weights stay for long; and the
    allocator keeps some hundred megabytes for each of a few versions that are gone.
    """
    gc.collect()
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
