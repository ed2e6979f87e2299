"""What a comparison prints."""

from __future__ import annotations

import io

from rich.console import Console

from pipeline.comparison.compare import Comparison
from pipeline.comparison.terminal import print_comparison


def _printed(compared: Comparison, width: int = 80) -> str:
    screen = io.StringIO()
    print_comparison(compared.content, Console(file=screen, width=width, highlight=False))
    return screen.getvalue()


def test_metrics_stand_side_by_side_with_their_change(two_compared: Comparison) -> None:
    printed = _printed(two_compared)
    split = two_compared.content["splits"][1]
    values, found = split["metrics"]["map_at_r"], split["changes"][0]["metrics"]["map_at_r"]
    after = printed.partition("test, B against A: 28 common queries")[2]
    line = next(line for line in after.splitlines() if line.startswith("MAP@R"))
    expected = f"MAP@R {values[0]:.4f} {values[1]:.4f} {found['value']:+.4f} {found['low']:+.4f} to"
    assert line.replace("−", "-").split()[:6] == expected.split()


def test_a_verdict_is_given_where_an_interval_does_not_hold_0(two_compared: Comparison) -> None:
    printed = _printed(two_compared)
    verdicts = [
        found
        for split in two_compared.content["splits"]
        for found in split["changes"][0]["metrics"].values()
    ]
    clear = [found for found in verdicts if found["low"] > 0 or found["high"] < 0]
    assert 0 < len(clear) < len(verdicts)
    names = ("recall@", "MAP@R ", "R-precision ", "mAP ", "MRR ")
    lines = [line.rstrip() for line in printed.splitlines() if line.startswith(names)]
    assert len(lines) == len(verdicts)
    assert sum(line.endswith(("better", "worse")) for line in lines) == len(clear)


def test_runs_settings_and_code_are_told(two_compared: Comparison) -> None:
    printed = _printed(two_compared)
    assert (
        "A  20260101-080000  (reference): synthetic_flowers, succeeded after 1 min 15 s" in printed
    )
    assert "pushed as version 7\n" in printed
    assert "B  20260102-070000: " in printed and ", not blessed\n" in printed
    assert "training.epochs" in printed and "--a=<i>&amp;" in printed
    assert "code that differs: Trainer\n" in printed
    queries = two_compared.content["queries"][0]
    assert f"{queries['better']} queries better, {queries['worse']} worse" in printed
    assert queries["most_better"][0]["id"] in printed.replace("\n", "")
    assert "CAUTION" not in printed and "corrected" not in printed


def test_cautions_and_notes_are_told(three_compared: Comparison) -> None:
    printed = _printed(three_compared)
    assert "CAUTION  the runs were evaluated under different protocols" in printed
    assert "note  2 runs are compared with A; each interval is a 95 % interval" in printed
    assert "note  C failed; it has embeddings, though" in printed
    assert "C against A" in printed


def test_tables_fit_80_columns(three_compared: Comparison) -> None:
    running_text = ("A  ", "B  ", "C  ", "CAUTION", "note", "nearest is right")
    for line in _printed(three_compared).splitlines():
        assert len(line) <= 80 or line.startswith(running_text), line


def test_names_are_not_taken_for_markup(two_compared: Comparison) -> None:
    content = {**two_compared.content, "cautions": ["[red]class[/red] of [nonsense]"]}
    assert "[red]class[/red] of [nonsense]" in _printed(Comparison(content, {}))


def test_runs_that_are_the_same_have_little_to_tell(two_compared: Comparison) -> None:
    content = dict(two_compared.content)
    content["settings"] = []
    content["components"] = [{**step, "same_code": True} for step in content["components"]]
    content["queries"] = [
        {"run": "B", "better": 0, "worse": 0, "same": 28, "most_better": [], "most_worse": []}
    ]
    printed = _printed(Comparison(content, {}))
    assert "settings: all the same\n" in printed and "code: the same" in printed
    assert printed.endswith("0 queries better, 0 worse, 28 the same\n")
