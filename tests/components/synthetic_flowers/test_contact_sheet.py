"""The contact sheet's command line."""

from __future__ import annotations

import io
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from components.synthetic_flowers.contact_sheet import contact_sheet, main
from components.synthetic_flowers.genera import draw_species
from components.synthetic_flowers.names import species_name
from components.synthetic_flowers.scene import photograph
from components.synthetic_flowers.streams import Purpose, stream


def test_writes_a_row_a_species(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "sheet.png"
    options = ["--classes", "3", "--columns", "2", "--size", "40", "--seed", "5"]
    assert main([*options, str(path)]) == 0
    sheet = np.asarray(Image.open(path))
    assert sheet.shape == (3 * 42 - 2, 2 * 42 - 2, 3)
    assert capsys.readouterr().out.splitlines() == [
        f"row {row + 1}: {species_name(5, row)}" for row in range(3)
    ]


def test_shows_the_training_images():
    sheet = contact_sheet(0, 2, 2, 40)
    encoded = photograph(stream(0, Purpose.TRAIN, 1, 1), draw_species(0, 1), 40)
    pixels = np.asarray(Image.open(io.BytesIO(encoded)))
    top, left = (pixels.shape[0] - 40) // 2, (pixels.shape[1] - 40) // 2
    np.testing.assert_array_equal(sheet[42:, 42:], pixels[top : top + 40, left : left + 40])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--size", "8", "a.png"], "must be at least 32"),
        (["--classes", "many", "a.png"], "'many' is no whole number"),
        (["--columns", "0", "a.png"], "must be at least 1"),
        ([], "OUT.png"),
    ],
)
def test_says_what_is_wrong(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert message in capsys.readouterr().err


def test_unwritable_output(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    options = ["--classes", "1", "--columns", "1", "--size", "32"]
    assert main([*options, str(tmp_path / "no" / "sheet.png")]) == 1
    assert main([*options, str(tmp_path / "sheet.txt")]) == 1
    assert capsys.readouterr().err.count("cannot write") == 2


def test_runs_as_a_module_without_tensorflow():
    code = (
        "import runpy, sys\n"
        "sys.argv = ['contact_sheet', '--help']\n"
        "try:\n"
        "    runpy.run_module('components.synthetic_flowers.contact_sheet', run_name='__main__')\n"
        "finally:\n"
        "    assert 'tensorflow' not in sys.modules\n"
    )
    root = pathlib.Path(__file__).parents[3]
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    for option in ("--classes", "--columns", "--size", "--seed", "OUT.png"):
        assert option in result.stdout
