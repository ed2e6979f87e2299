"""Drawing with several processes gives what drawing one by one gives, in the same order."""

from __future__ import annotations

import pathlib
import subprocess
import sys

from components.synthetic_flowers.drawing import WORTH_PROCESSES, Order, draw, draw_all
from components.synthetic_flowers.genera import draw_species
from components.synthetic_flowers.scene import photograph
from components.synthetic_flowers.streams import Purpose, stream


def test_an_order_names_the_image():
    expected = photograph(stream(3, Purpose.VALIDATION, 5, 7), draw_species(3, 5), 32)
    assert draw(Order(3, "validation", 5, 7, 32)) == expected


def test_processes_change_nothing():
    orders = [Order(0, "train", number % 5, number, 32) for number in range(WORTH_PROCESSES + 3)]
    assert list(draw_all(orders)) == [draw(order) for order in orders]


def test_few_or_no_orders():
    orders = [Order(0, "test", 1, number, 32) for number in range(3)]
    assert list(draw_all(orders)) == [draw(order) for order in orders]
    assert list(draw_all([])) == []


def test_workers_need_no_tensorflow():
    code = "import sys, components.synthetic_flowers.drawing; print('tensorflow' in sys.modules)"
    root = pathlib.Path(__file__).parents[3]
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"
