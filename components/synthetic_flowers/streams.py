"""Independent random streams, one for each thing that is drawn.

A stream depends on its key alone: an image looks the same whatever else is drawn before it, and
however many classes and images a dataset has.
"""

from __future__ import annotations

import enum

import numpy as np


class Purpose(enum.IntEnum):
    """What a stream is for; the numbers are part of what makes an image what it is."""

    FORMS = 1
    GENUS = 2
    SPECIES = 3
    NAMES = 4
    TRAIN = 10
    VALIDATION = 11
    TEST = 12


def stream(seed: int, purpose: Purpose, first: int = 0, second: int = 0) -> np.random.Generator:
    """Returns the random stream of a key.

    The bit generator is named, not NumPy's default, which may change. Keys have one length:
    `SeedSequence` pads with zeros, so that keys of two lengths could coincide.

    Args:
        seed: The dataset's seed, at least 0.
        purpose: What is drawn.
        first: Index of the genus or class.
        second: Index of the image in its class and split.
    """
    sequence = np.random.SeedSequence([seed, int(purpose), first, second])
    return np.random.Generator(np.random.Philox(sequence))


def between(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    """Draws a Python float from a range; NumPy's own scalars would widen float32 arrays."""
    low, high = bounds
    return low + (high - low) * float(rng.random())
