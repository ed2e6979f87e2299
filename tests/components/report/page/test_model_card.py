"""The model card: what it holds, and the limits that follow from the findings."""

from __future__ import annotations

import json

import pytest

from components.report.page.model_card import model_card
from tests.components.report.page import sample


def caveats(content=None, context=None) -> str:
    card = model_card(content or sample.content(), context or sample.context())
    return " ".join(card["caveats"]).replace("\u00a0", " ")


def test_is_json_with_every_part():
    card = model_card(sample.content(), sample.context())
    assert json.loads(json.dumps(card, allow_nan=False)) == card
    assert list(card) == [
        "schema_version", "model_details", "intended_use", "factors", "metrics", "training_data",
        "evaluation_data", "quantitative_analyses", "caveats",
    ]  # fmt: skip
    assert list(model_card({}, {})) == list(card)


def test_says_what_the_model_is():
    details = model_card(sample.content(), sample.context())["model_details"]
    assert details["name"] == "flowers"
    assert details["version"] == "1795523810"
    assert details["license"] == "Apache-2.0"
    assert details["owner"] is None
    assert "efficientnet_lite0 at 96 × 96 pixels" in details["architecture"]
    assert "128 dimensions" in details["architecture"]
    assert details["training"] == "6 epochs on cross-entropy (1.00), center loss (4.00)"


def test_names_whatever_losses_have_a_weight():
    context = sample.context()
    for key, value in (("training.proxy_anchor_loss.weight", 0.5), ("training.other.weight", 0.0)):
        context["settings"].append({"key": key, "value": value, "changed": True})
    training = model_card(sample.content(), context)["model_details"]["training"]
    assert (
        training == "6 epochs on cross-entropy (1.00), center loss (4.00), proxy anchor loss (0.50)"
    )


def test_gives_values_with_intervals_and_changes():
    card = model_card(sample.content(), sample.context())
    overall = card["quantitative_analyses"]["overall"]
    assert list(overall) == ["test", "validation"]
    assert overall["test"]["map_at_r"]["value"] == 0.5155
    assert overall["test"]["map_at_r"]["change"] is None
    assert overall["validation"]["map_at_r"]["change"]["low"] == 0.012
    worst = card["quantitative_analyses"]["worst_classes"]
    best = card["quantitative_analyses"]["best_classes"]
    assert worst[0]["recall_at_1"] == 0.1 and best[0]["recall_at_1"] == 1.0
    assert not {row["name"] for row in worst} & {row["name"] for row in best}


def test_every_measure_is_defined():
    card = model_card(sample.content(), sample.context())
    measures = {found["key"]: found for found in card["metrics"]["measures"]}
    assert {"recall_at_1", "map_at_r"} <= set(measures)
    assert "divided by R" in measures["map_at_r"]["definition"]
    assert "jackknife" in card["metrics"]["uncertainty"]
    assert (
        "blessed with recall@1 of at least 0.6 on validation"
        in (card["metrics"]["decision_thresholds"])
    )


def test_the_protocol_is_that_of_the_findings():
    card = model_card(sample.content(), sample.context())
    assert card["evaluation_data"][0]["protocol"] == "leave-one-out within test, 160 queries"
    content = sample.content()
    content["protocol"]["gallery_splits"] = ["train", "validation"]
    card = model_card(content, sample.context())
    assert card["evaluation_data"][0]["protocol"] == (
        "test queries searched in train and validation, 160 queries"
    )
    assert "The metrics are of searching in" not in " ".join(card["caveats"])
    # Without any, that of the settings.
    del content["protocol"]
    card = model_card(content, sample.context())
    assert card["evaluation_data"][1]["protocol"] == (
        "leave-one-out within validation, 160 queries"
    )


def test_settings_may_be_written_out():
    written = sample.context()
    for item in written["settings"]:
        if not isinstance(item["value"], str):
            item["value"] = json.dumps(item["value"])
    assert model_card(sample.content(), written) == model_card(sample.content(), sample.context())


def test_limits_follow_from_the_findings():
    said = caveats()
    assert "1 image of validation or test looks like one of an earlier split" in said
    assert "1 file is the same in several splits, and none was left out" in said
    assert "classes it was never trained on was not measured" in said
    assert "few queries (160 of test and 160 of validation)" in said
    assert "16 of 16 classes have fewer than 20 test queries" in said
    assert "wrong more often than right for" in said
    assert "The metrics are of searching in each split itself" in said


def test_limits_end_where_the_findings_do():
    content = sample.content(classes=16, per_class=40)
    content["data"]["near_duplicates"]["left_out"] = True
    content["data"]["duplicates"]["across_splits"] = 0
    content["per_class"] = [row for row in content["per_class"] if row["recall_at_1"] >= 0.5]
    context = sample.context()
    for item in context["settings"]:
        if item["key"] == "data.division.held_out_classes":
            item["value"] = 0.2
    said = caveats(content, context)
    for gone in ("earlier split", "several splits", "never trained on", "few queries", "fewer than",
                 "more often than right"):  # fmt: skip
        assert gone not in said


@pytest.mark.parametrize("key", ["evaluations", "data", "scores", "training", "map", "per_class"])
def test_what_is_missing_is_left_out(key):
    card = model_card(sample.content() | {key: None}, sample.context())
    json.dumps(card, allow_nan=False)


def test_nobody_looked_for_near_duplicates():
    content = sample.content()
    content["data"]["near_duplicates"] = None
    assert "Nobody looked for near-duplicates" in caveats(content)
