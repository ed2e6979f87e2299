"""What is printed at the end of a run."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from pipeline.summary import print_summary


def _printed(width: int = 100, **changes: Any) -> str:
    summary = {
        "frozen_backbone": {"validation": {"recall_at_1": 0.5}},
        "metrics": {"validation": {"recall_at_1": 0.75, "map_at_r": 0.25}},
        "confidence_intervals": {"validation": {"recall_at_1": (0.7, 0.8004)}},
        "difference_to_baseline": {},
        "images": {"train": 30, "validation": 20, "test": 10},
        "training": {"epochs": 6, "epoch": 5},
        "bad_images": [],
        "duplicates": [],
        "near_duplicates": [],
        "near_duplicates_left_out": False,
        "blessed": True,
        "not_blessed_because": [],
        "routed_search": None,
        "serving_check": None,
        "pushed_model": "/models/flowers/7",
        "held_back": None,
        **changes,
    }
    screen = io.StringIO()
    print_summary(summary, Console(file=screen, width=width))
    return screen.getvalue()


def _copies(*splits: str, dropped: int = 0) -> dict[str, Any]:
    images = [{"id": str(i), "split": split, "class_name": "x"} for i, split in enumerate(splits)]
    return {"images": images, "dropped": [str(i) for i in range(dropped)]}


def test_a_clean_run_says_nothing_of_its_images() -> None:
    printed = _printed()
    assert "blessed  pushed to /models/flowers/7" in printed
    assert "left out" not in printed and "more than once" not in printed


def test_metrics_stand_beside_the_number_of_images() -> None:
    printed = _printed()
    assert "frozen backbone, validation (20 images)" in printed
    assert "trained, validation (20 images)" in printed


def test_intervals_stand_below_what_they_belong_to() -> None:
    lines = _printed(width=80).splitlines()
    (place,) = (i for i, line in enumerate(lines) if "95 % confidence" in line)
    assert "trained, validation (20 images)" in lines[place - 1]
    assert "± 0.0502" in lines[place] and "–" in lines[place]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"value": 0.01, "low": -0.005, "high": 0.025}, "by +0.0100 (95 %: -0.0050 … +0.0250)\n"),
        ({"value": -0.5, "low": float("nan"), "high": float("nan")}, "changed by -0.5000\n"),
    ],
)
def test_a_model_is_compared_with_the_last_one(change: dict[str, float], line: str) -> None:
    assert line in _printed(difference_to_baseline={"recall_at_1": change})


def test_bad_images_are_counted_and_named() -> None:
    printed = _printed(bad_images=[{"id": name} for name in "abcd"])
    assert "images left out because they cannot be decoded: 4 (a, b, c, …); " in printed


@pytest.mark.parametrize("recall, told", [(0.49, True), (0.5, False)])
def test_a_model_that_training_made_worse_is_remarked_on(recall: float, told: bool) -> None:
    printed = _printed(metrics={"validation": {"recall_at_1": recall}})
    assert ("retrieves worse on validation" in printed) == told


@pytest.mark.parametrize(
    ("groups", "line"),
    [
        ([_copies("test", "test")], "more than once: 1, across splits: 0\n"),
        (
            [_copies("test", "test"), _copies("train", "test")],
            "more than once: 2, across splits: 1, kept (data.drop_leaks=true drops the copies)\n",
        ),
        (
            [_copies("train", "test", "test", dropped=2)],
            "more than once: 1, across splits: 1, 2 copies dropped\n",
        ),
    ],
)
def test_copies_are_counted(groups: list[dict[str, Any]], line: str) -> None:
    assert line in _printed(duplicates=groups)


@pytest.mark.parametrize(
    ("left_out", "end"),
    [(False, "kept (evaluation.near_duplicates=leave_out leaves"), (True, "left out of the eval")],
)
def test_near_duplicates_are_counted_and_named(left_out: bool, end: str) -> None:
    found = [{"id": f"{i}.jpg", "original_id": f"{i}{i}.jpg"} for i in range(4)]
    printed = _printed(near_duplicates=found, near_duplicates_left_out=left_out)
    assert (
        "images that look like one of an earlier split: 4 (0.jpg like 00.jpg, 1.jpg like 11.jpg, "
        f"2.jpg like 22.jpg, …), {end}"
    ) in printed


@pytest.mark.parametrize("found", [None, []])
def test_nothing_is_said_of_near_duplicates_where_none_are_known(found: list | None) -> None:
    assert "look like" not in _printed(near_duplicates=found)


@pytest.mark.parametrize(
    ("recall", "end"),
    [
        (0.98765, " finds 98.77 % of the nearest images that exact search finds\n"),
        (None, ": not measured, there were no queries\n"),
    ],
)
def test_what_routed_search_finds_is_told(recall: float | None, end: str) -> None:
    printed = _printed(routed_search={"cells": 310, "probes": 32, "recall": recall})
    assert f"routed search (32 of 310 cells of the gallery){end}" in printed
    assert "routed search" not in _printed()


def _check(**changes: Any) -> dict[str, Any]:
    latency = {"median_ms": 20.4, "p95_ms": 31.6, "requests": 40}
    return {
        "ok": True,
        "reason": "",
        "latency": latency,
        "peak_memory_mb": 812.3,
        "log": "/runs/server.log",
        **changes,
    }


@pytest.mark.parametrize(
    ("check", "line"),
    [
        (_check(), "one photo takes 20 ms (95 %: 32 ms), memory 812 MB\n"),
        (_check(peak_memory_mb=None), "one photo takes 20 ms (95 %: 32 ms)\n"),
    ],
)
def test_what_serving_takes_is_told(check: dict[str, Any], line: str) -> None:
    assert line in _printed(serving_check=check)
    assert "tried in a server" not in _printed(serving_check=_check(latency=None))


def test_a_model_that_fails_in_a_server_is_said_not_to_be_pushed() -> None:
    why = (
        "  it failed the check in a server: too slow\n"
        "  log of the server  /runs/server.log\n"
        "  to check it again: the same command with --from ServingCheck --no-cache\n"
    )
    failed: dict[str, Any] = {
        "pushed_model": None,
        "serving_check": _check(ok=False, reason="too slow"),
    }
    assert f"blessed, but NOT pushed:\n{why}" in _printed(**failed)
    weak: dict[str, Any] = {"blessed": False, "not_blessed_because": ["too weak"]}
    assert f"not blessed, so not pushed:\n  too weak\n{why}" in _printed(**failed, **weak)
    assert f"not evaluated by this part of the pipeline\n{why}" in _printed(**failed, blessed=None)
    never_started = _check(ok=False, reason="no model", log=None)
    assert "log of" not in _printed(pushed_model=None, serving_check=never_started)


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"pushed_model": None}, "blessed, and not pushed by this part"),
        (
            {"pushed_model": None, "held_back": "version 7 is held"},
            "blessed, and not pushed: version 7 is held\n",
        ),
        ({"pushed_model": None, "blessed": None}, "not evaluated by this part"),
        (
            {"pushed_model": None, "blessed": False, "not_blessed_because": ["too weak"]},
            "not blessed, so not pushed:\n  too weak\n",
        ),
    ],
)
def test_the_verdict_is_told(changes: dict[str, Any], line: str) -> None:
    assert line in _printed(**changes)
