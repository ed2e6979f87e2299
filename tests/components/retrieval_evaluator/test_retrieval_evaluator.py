"""Retrieval metrics that went through TFMA equal those computed from the rows at once."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import tensorflow_model_analysis as tfma

from components.retrieval_evaluator.config import Protocol, Thresholds
from components.retrieval_evaluator.results import (
    failed_thresholds,
    read_by_class,
    read_differences,
    read_intervals,
    read_overall,
)
from retrieval.metrics import per_query_metrics, retrieval_metrics
from retrieval.shards import identity_keys

KS = (1, 3)
WORSE = np.diag([1.0, 1.0, 0.0, 0.0, 0.0, 0.0])


def _expected(data: Any, matrix: np.ndarray | None = None) -> dict[str, float]:
    """The metrics over all queries; rows by key, since that is how ties are to be broken."""
    order = np.argsort(identity_keys(data.ids))
    embeddings = data.embeddings if matrix is None else data.embeddings @ np.float32(matrix)
    values = retrieval_metrics(embeddings[order], np.array(data.labels)[order], ks=KS)
    return {name: value for name, value in values.items() if not name.startswith("queries")}


def _expected_by_class(data: Any) -> dict[str, dict[str, float]]:
    order = np.argsort(identity_keys(data.ids))
    embeddings, labels = data.embeddings[order], np.array(data.labels)[order]
    ids = np.array(data.ids)[order]
    values = per_query_metrics(embeddings, labels, ids, embeddings, labels, ids, KS)
    names = np.array(data.class_names)[order]
    return {
        str(name): {metric: float(value[names == name].mean()) for metric, value in values.items()}
        for name in sorted(set(names))
    }


@pytest.fixture(scope="module")
def alone(evaluate) -> Any:
    """A report of one model: no thresholds, no baseline."""
    return evaluate(None)


@pytest.fixture(scope="module")
def first_run(evaluate, data) -> Any:
    """Thresholds but no baseline yet, and the same rows in another order and other files."""
    order = np.random.default_rng(1).permutation(len(data.labels))
    return evaluate(Thresholds(0.2, 0.1, 0.0), order=order, shards=4)


@pytest.fixture(scope="module")
def better_than_baseline(evaluate) -> Any:
    return evaluate(Thresholds(0.2, 0.1, 0.0), baseline=WORSE)


@pytest.fixture(scope="module")
def worse_than_demanded(evaluate) -> Any:
    return evaluate(Thresholds(0.99, 0.98, 0.0), baseline=np.eye(6))


def test_overall_values(alone, data):
    found = read_overall(alone.uri)
    assert found.pop("example_count") == len(data.labels)
    assert found == pytest.approx(_expected(data), abs=1e-6)
    assert 0.0 < found["map_at_r"] < found["recall_at_3"] < 1.0, "a test of something"


def test_values_by_class(alone, data):
    found = read_by_class(alone.uri)
    expected = _expected_by_class(data)
    assert set(found) == set(expected)
    for name, values in expected.items():
        assert found[name].pop("example_count") == data.class_names.count(name)
        assert found[name] == pytest.approx(values, abs=1e-6, nan_ok=True)
    assert math.isnan(found["lonely"]["recall_at_1"]), "nothing to find"


def test_order_and_sharding_change_nothing(alone, first_run):
    assert read_overall(first_run.uri) == read_overall(alone.uri)
    here, there = read_by_class(first_run.uri), read_by_class(alone.uri)
    assert set(here) == set(there)
    for name, values in here.items():
        assert values == pytest.approx(there[name], abs=1e-12, nan_ok=True)


def test_without_thresholds_nothing_is_blessed(alone):
    assert not alone.blessed and alone.blessing_files == []


def test_a_first_model_above_the_thresholds_is_blessed(first_run):
    assert first_run.blessed and first_run.blessing_files == ["BLESSED"]
    assert failed_thresholds(first_run.uri) == []


def test_with_a_baseline_each_model_is_searched_among_its_own_embeddings(
    better_than_baseline, data
):
    found = read_overall(better_than_baseline.uri)
    found.pop("example_count")
    candidate, baseline = _expected(data), _expected(data, WORSE)
    assert found == pytest.approx(candidate, abs=1e-6)
    assert candidate["recall_at_1"] > baseline["recall_at_1"], "a test of something"
    (overall,) = (
        metrics
        for key, metrics in tfma.load_eval_result(
            better_than_baseline.uri, model_name="baseline"
        ).slicing_metrics
        if key == ()
    )
    of_baseline = {
        name: value["boundedValue"]["value"]
        for metrics in overall.values()
        for by_key in metrics.values()
        for name, value in by_key.items()
        if name != "example_count"
    }
    assert of_baseline == pytest.approx(baseline, abs=1e-6)

    differences = read_differences(better_than_baseline.uri)
    assert set(differences) == set(candidate)
    for name, difference in differences.items():
        assert difference.value == pytest.approx(candidate[name] - baseline[name], abs=1e-6)
        assert difference.low < difference.value < difference.high


def test_the_notebook_view_shows_the_metrics_under_plain_names(alone):
    """What TFMA hands to its widget; the widget itself is JavaScript in a notebook."""
    view = tfma.view.render_slicing_metrics(tfma.load_eval_result(alone.uri))
    (overall,) = (row for row in view.data if row["slice"] == "Overall")
    shown = {
        name: value["boundedValue"]["value"]
        for name, value in overall["metrics"][""][""].items()
        if name != "example_count"
    }
    expected = read_overall(alone.uri)
    expected.pop("example_count")
    assert shown == pytest.approx(expected, abs=1e-9)
    by_class = tfma.view.render_slicing_metrics(
        tfma.load_eval_result(alone.uri), slicing_column="class_name"
    )
    assert {row["slice"] for row in by_class.data} == {
        f"class_name:{name}" for name in read_by_class(alone.uri)
    }


def test_values_have_confidence_intervals(alone, data):
    """About as wide as the standard error of a mean says; 20 parts of 31 queries say it roughly."""
    values = per_query_metrics(
        data.embeddings, data.labels, data.ids, data.embeddings, data.labels, data.ids, KS
    )
    for name, (value, low, high) in read_intervals(alone.uri).items():
        if name == "example_count":
            continue
        error = np.nanstd(values[name]) / math.sqrt(len(data.labels) - 1)
        assert low < value < high
        assert 0.4 < (high - low) / (2 * 2.09 * error) < 2.5


def test_comparison_with_the_baseline_is_paired(worse_than_demanded):
    """The baseline is the same model: no query differs, so there is nothing uncertain."""
    for difference in read_differences(worse_than_demanded.uri).values():
        assert tuple(difference) == (0.0, 0.0, 0.0)
    assert read_intervals(worse_than_demanded.uri)["recall_at_1"].low > 0.0


def test_without_a_baseline_there_is_no_difference(first_run):
    assert read_differences(first_run.uri) == {}


def test_a_query_split_is_searched_in_gallery_splits(evaluate, data):
    """Queries, gallery and images that are neither come in the same batches."""
    splits = ["train", "validation", "test"] * len(data.labels)
    protocol = Protocol(query_splits=("test",), gallery_splits=("train",))
    found = read_overall(evaluate(None, splits=splits, protocol=protocol).uri)
    order = np.argsort(identity_keys(data.ids))
    labels, split = np.array(data.labels)[order], np.array(splits[: len(order)])[order]
    queries, gallery = (
        (data.embeddings[order][split == name], labels[split == name]) for name in ("test", "train")
    )
    expected = retrieval_metrics(*queries, *gallery, ks=KS)
    assert found.pop("example_count") == expected.pop("queries") == (split == "test").sum()
    del expected["queries_without_relevant"]
    assert 0 < expected["recall_at_1"] < 1, "a test of something"
    assert found == pytest.approx(expected, abs=1e-6)


def test_near_duplicates_take_no_part(evaluate, data):
    """Neither as queries nor in the gallery, for both models; a class of two loses one, too."""
    left_out = [data.ids[row] for row in (0, 5, 14, 29)]
    kept = np.flatnonzero(~np.isin(data.ids, left_out))
    evaluation = evaluate(
        Thresholds(0.0, 0.0, 1.0), baseline=WORSE, left_out=[*left_out, "not among the images"]
    )
    rest = dataclasses.replace(
        data,
        embeddings=data.embeddings[kept],
        labels=[data.labels[row] for row in kept],
        ids=[data.ids[row] for row in kept],
    )
    found, expected = read_overall(evaluation.uri), _expected(rest)
    assert found.pop("example_count") == len(data.ids) - 4
    assert found == pytest.approx(expected, abs=1e-6)
    assert found != pytest.approx(_expected(data), abs=1e-3), "a test of something"
    baseline = _expected(rest, WORSE)
    changes = {name: change.value for name, change in read_differences(evaluation.uri).items()}
    assert changes == pytest.approx({n: expected[n] - baseline[n] for n in expected}, abs=1e-6)


def test_an_empty_list_leaves_nothing_out(evaluate, data):
    found = read_overall(evaluate(None, left_out=[]).uri)
    assert found.pop("example_count") == len(data.ids)
    assert found == pytest.approx(_expected(data), abs=1e-6)


def test_a_model_better_than_its_baseline_is_blessed(better_than_baseline):
    assert better_than_baseline.blessed
    assert failed_thresholds(better_than_baseline.uri) == []


def test_a_model_below_the_thresholds_is_not_blessed_and_told_why(worse_than_demanded, data):
    assert not worse_than_demanded.blessed
    assert worse_than_demanded.blessing_files == ["NOT_BLESSED"]
    expected = _expected(data)
    reasons = sorted(failed_thresholds(worse_than_demanded.uri))
    assert reasons == [
        f"map_at_r is {expected['map_at_r']:.4f}; at least 0.9800 is required",
        f"recall_at_1 is {expected['recall_at_1']:.4f}; at least 0.9900 is required",
    ]


def test_a_model_that_lost_too_much_against_the_last_is_not_blessed(evaluate, data):
    loss = _expected(data)["recall_at_1"] - _expected(data, WORSE)["recall_at_1"]
    assert loss > 0.05, "a test of something"
    result = evaluate(Thresholds(0.1, 0.0, 0.05), candidate=WORSE, baseline=np.eye(6))
    assert not result.blessed
    assert failed_thresholds(result.uri) == [
        f"recall_at_1 changed by -{loss:.4f} against the last blessed model; "
        "a drop of 0.0500 is allowed"
    ]
