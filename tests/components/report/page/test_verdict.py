"""The first screen in words, for each way in which a run can end."""

from __future__ import annotations

from typing import Any

import pytest

from components.report.page.verdict import verdict
from tests.components.report.page import sample


def told(content: dict[str, Any] | None = None, **changes: Any):
    """The verdict, and all of its remarks in one text, with plain spaces."""
    context = {**sample.context(), **changes}
    found = verdict(sample.content() if content is None else content, context)
    return found, " ".join(found.remarks).replace("\u00a0", " ")


def test_blessed_and_pushed():
    found, remarks = told()
    right = sum(round(row["recall_at_1"] * row["queries"]) for row in sample.content()["per_class"])
    assert (found.kind, found.chip) == ("good", "Blessed and pushed")
    assert found.sentence.replace("\u00a0", " ") == (
        f"The most similar image is of the right class for {right / 1.6:.0f} % of the 160 test "
        "queries"
    )
    assert "runs/demo/serving/flowers/1795523810" in remarks
    assert "answered as it must when tried in a server" in remarks


def test_says_what_changed_and_whether_chance_explains_it():
    _, remarks = told()
    assert (
        "Against the last blessed model, on validation: recall@1 +0.013 (95 %: −0.010 to +0.035), "
        "which chance alone may explain; MAP@R +0.031 (95 %: +0.012 to +0.050), more than chance "
        "explains." in remarks
    )


def test_a_first_run_has_nothing_to_compare_with():
    _, remarks = told(sample.content(baseline=False))
    assert "There was no blessed model before it to compare with." in remarks
    assert "Against the last blessed model" not in remarks


def test_a_difference_without_an_interval_is_not_judged():
    content = sample.content()
    differences = content["evaluations"]["validation"]["differences"]
    differences["recall_at_1"] = {"value": -0.2, "low": None, "high": None}
    _, remarks = told(content)
    assert "recall@1 −0.200, without an interval (too few queries)" in remarks


def test_a_model_that_is_the_same_is_unchanged():
    content = sample.content()
    content["evaluations"]["validation"]["differences"] = {
        "recall_at_1": {"value": 0.0, "low": 0.0, "high": 0.0}
    }
    assert "on validation: recall@1 is unchanged." in told(content)[1]


def test_names_what_it_fails_on():
    content = sample.content()
    worst = content["per_class"][:3]
    _, remarks = told(content)
    for row in worst:
        right = round(row["recall_at_1"] * row["queries"])
        assert f"{row['name']} ({right} of 10 queries right)" in remarks
    first = content["confusions"][0]
    assert f"takes {first['class_name']} for {first['other']}: 7 of 10 queries." in remarks


def test_refused_with_reasons():
    content = sample.content() | {
        "blessed": False,
        "not_blessed_because": ["recall_at_1 is 0.4000; at least 0.6000 is required", "too slow"],
        "serving_check": None,
    }
    found, remarks = told(content, pushed_model=None)
    assert (found.kind, found.chip) == ("bad", "Refused")
    assert (
        "Not blessed, so not pushed: recall_at_1 is 0.4000; at least 0.6000 is required. too slow."
        in remarks
    )


def test_refused_by_the_check_in_a_server():
    content = sample.content()
    content["serving_check"] |= {"ok": False, "reason": "answers in 900 ms"}
    found, remarks = told(content, pushed_model=None)
    assert (found.kind, found.chip) == ("bad", "Failed in the server")
    assert "Blessed by its metrics, and not pushed: answers in 900 ms." in remarks


def test_held_back_after_a_rollback():
    found, remarks = told(pushed_model=None, held_back="a rollback holds version 5")
    assert (found.kind, found.chip) == ("calm", "Blessed, held back")
    assert "Not pushed: a rollback holds version 5." in remarks


def test_blessed_and_not_pushed_by_this_part_of_the_pipeline():
    found, _ = told(pushed_model=None)
    assert (found.kind, found.chip) == ("good", "Blessed")


def test_failed_before_anything_was_measured():
    run = {"status": "failed", "error": "AnomalyGate: no images"}
    found, remarks = told({}, run=run, pushed_model=None)
    assert (found.kind, found.chip) == ("bad", "Failed")
    assert found.sentence == "The run failed before its model was evaluated"
    assert remarks == "The run failed: AnomalyGate: no images."


def test_failed_after_its_model_was_measured():
    run = {"status": "failed", "error": "disk full"}
    found, remarks = told(run=run, pushed_model=None)
    assert found.chip == "Failed"
    assert "160 test queries" in found.sentence
    assert "The run failed: disk full." in remarks


@pytest.mark.parametrize("content", [{}, {"evaluations": {}, "blessed": None, "per_class": []}])
def test_not_evaluated(content):
    found, _ = told(content, run={}, pushed_model=None)
    assert (found.kind, found.chip) == ("calm", "Not judged")
    assert found.sentence == "The model of this run was not evaluated"
