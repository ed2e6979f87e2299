"""Draws many photographs on all cores; an image is the same whoever draws it.

Worker processes are started afresh, not forked: forking a process that runs TensorFlow can hang.
They import this module, so it must not import anything heavy.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
from collections.abc import Iterator
from typing import NamedTuple

from components.synthetic_flowers.genera import draw_species
from components.synthetic_flowers.scene import photograph
from components.synthetic_flowers.streams import Purpose, stream

# Below this, starting processes takes longer than drawing.
WORTH_PROCESSES = 64
CHUNK = 8


class Order(NamedTuple):
    """One image to draw.

    Attributes:
        seed: Seed of the dataset.
        split: Split it belongs to, which its random numbers depend on.
        label: Species.
        number: Which of the images of this species and split it is.
        size: Shorter side in pixels.
    """

    seed: int
    split: str
    label: int
    number: int
    size: int


def draw(order: Order) -> bytes:
    """Draws one image and returns it as JPEG."""
    species = draw_species(order.seed, order.label)
    rng = stream(order.seed, Purpose[order.split.upper()], order.label, order.number)
    return photograph(rng, species, order.size)


def draw_all(orders: list[Order]) -> Iterator[bytes]:
    """Draws images, several at a time if there are many; yields them in the order given."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
    if cores == 1 or len(orders) < WORTH_PROCESSES:
        yield from map(draw, orders)
        return
    with concurrent.futures.ProcessPoolExecutor(
        cores, mp_context=multiprocessing.get_context("spawn")
    ) as pool:
        yield from pool.map(draw, orders, chunksize=CHUNK)
