"""Rules and dashboard ask only for metrics that are exported, with labels that these have.

What the rules say about made-up series is in `rules_test.yml`, which is run here where Prometheus's
`promtool` is installed.
"""

from __future__ import annotations

import collections
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from pipeline.drift_metrics import metrics_text
from serving.server_metrics import Counter, Histogram, ServerMetrics
from tests.serving.deploy.deploy_files import DEPLOY

FOLDER = DEPLOY / "monitoring"
RULES = yaml.safe_load((FOLDER / "rules.yml").read_text("utf-8"))
DASHBOARD = json.loads((FOLDER / "dashboards" / "flowersim.json").read_text("utf-8"))

GROUPS = RULES["groups"]
RECORDED = [rule for group in GROUPS for rule in group["rules"] if "record" in rule]
ALERTS = [rule for group in GROUPS for rule in group["rules"] if "alert" in rule]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]

REPORT: dict[str, Any] = {
    "drifted": True,
    "decided": True,
    "examined": 200,
    "comparison": {
        "embeddings": {"effect": 0.1, "p_value": 0.001},
        "scores": {"drop": 0.3, "p_value": 0.001},
        "out_of_gallery": 0.5,
        "reference_out_of_gallery": 0.2,
    },
}

_SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)\{(.*)\} ")
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_DURATION = re.compile(r"\[\d+[smhd]\]|\boffset \d+[smhd]\b")
_GROUPING = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)")
_MATCHERS = re.compile(r"\{[^{}]*\}")
_SELECTOR = re.compile(rf"({_NAME.pattern})(\{{[^{{}}]*\}})")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"')
# What is called in the expressions, and what stands between them.
FUNCTIONS = {
    "absent",
    "histogram_quantile",
    "increase",
    "max",
    "min",
    "rate",
    "sum",
    "time",
}
OPERATORS = {"or", "and", "unless", "offset", "e6"}


def _exported() -> dict[str, set[str]]:
    """Labels by metric, as the server and the drift file write them."""
    metrics = ServerMetrics()
    for family in vars(metrics).values():
        if isinstance(family, Counter):
            family.add(*["x"] * len(family._labels))
        elif isinstance(family, Histogram):
            family.add(1.0, *["x"] * len(family._labels))
    labels: dict[str, set[str]] = collections.defaultdict(set)
    text = metrics.text() + metrics_text(REPORT, "flowers", 0.0)
    for name, pairs in (match.groups() for match in map(_SAMPLE.match, text.splitlines()) if match):
        labels[name] |= set(re.findall(r'(\w+)="', pairs))
    return labels


EXPORTED = _exported()


def _without_text(expression: str) -> str:
    return re.sub(r'"[^"]*"', '""', expression)


def _grouped(expression: str) -> set[str]:
    """Labels by which an expression groups or matches series."""
    return {
        label.strip()
        for _, labels in _GROUPING.findall(expression)
        for label in labels.split(",")
        if label.strip()
    }


def _selected(expression: str) -> Iterator[tuple[str, str]]:
    """Metrics of which series are selected by a label, with that label."""
    for name, inside in _SELECTOR.findall(_without_text(expression)):
        for label in _MATCHER.findall(inside):
            yield name, label


def _names(expression: str) -> set[str]:
    """Metrics that an expression is about."""
    bare = _without_text(expression)
    for pattern in (_MATCHERS, _DURATION, _GROUPING):
        bare = pattern.sub(" ", bare)
    return set(_NAME.findall(bare)) - FUNCTIONS - OPERATORS


def _known() -> Mapping[str, set[str]]:
    """Exported metrics, and recorded ones, which have the label that they are sums by."""
    recorded = {rule["record"]: {"model_name"} for rule in RECORDED}
    return {**EXPORTED, **recorded}


def _expressions() -> Iterator[Any]:
    for rule in (*RECORDED, *ALERTS):
        yield pytest.param(rule["expr"], id=rule.get("alert") or rule.get("record"))
    for panel in PANELS:
        for target in panel["targets"]:
            yield pytest.param(target["expr"], id=f"{panel['title']} {target['refId']}")


@pytest.mark.parametrize("expression", _expressions())
def test_every_metric_is_exported_with_every_label(expression: str):
    known, names = _known(), _names(expression)
    assert names and names <= set(known)
    assert _grouped(expression) <= set.intersection(*(known[name] for name in names))
    for name, label in _selected(expression):
        assert label in known[name]
    assert expression.count("(") == expression.count(")")


def test_the_parts_of_an_expression_are_told_apart():
    expression = (
        'sum by (a, le) (rate(:x:y_bucket{b=~"c|d{2}", e!="f"}[5m])) / 1e6 '
        "unless on (g) z offset 10m or absent(w)"
    )
    assert _names(expression) == {":x:y_bucket", "z", "w"}
    assert _grouped(expression) == {"a", "le", "g"}
    assert list(_selected(expression)) == [(":x:y_bucket", "b"), (":x:y_bucket", "e")]


def test_what_is_exported_includes_both_sources():
    assert EXPORTED[":tensorflow:serving:request_latency_bucket"] == {
        "model_name",
        "API",
        "entrypoint",
        "le",
    }
    assert EXPORTED["flowersim_out_of_gallery_rate"] == {"model_name", "photos"}


def test_every_drift_metric_has_a_panel_or_a_rule():
    used = set().union(*(_names(parameter.values[0]) for parameter in _expressions()))
    assert {name for name in EXPORTED if name.startswith("flowersim_")} <= used
    assert {rule["record"] for rule in RECORDED} <= used


def test_recorded_metrics_are_sums_by_the_model():
    for rule in RECORDED:
        assert set(rule) == {"record", "expr"}
        assert re.fullmatch(r"model_name:flowersim_\w+:\w+", rule["record"])
        groupings = [labels for _, labels in _GROUPING.findall(rule["expr"])]
        assert groupings and {g.removesuffix(", le") for g in groupings} == {"model_name"}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_what_prometheus_and_people_need(rule: dict[str, Any]):
    assert set(rule) - {"for"} == {"alert", "expr", "labels", "annotations"}
    assert re.fullmatch(r"Flowersim[A-Za-z]+", rule["alert"])
    assert re.fullmatch(r"\d+[mhd]", rule.get("for", "5m"))
    assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(rule["annotations"]) == {"summary", "description"}
    named = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    assert named <= set.union(*(_known()[name] for name in _names(rule["expr"])))


def test_names_are_unique_and_groups_are_as_prometheus_expects():
    assert set(RULES) == {"groups"}
    assert all(set(group) == {"name", "rules"} for group in GROUPS)
    names = [rule.get("alert") or rule["record"] for group in GROUPS for rule in group["rules"]]
    for values in (names, [group["name"] for group in GROUPS]):
        assert len(values) == len(set(values))


def test_every_alert_is_tried_by_the_rules_test():
    tests = yaml.safe_load((FOLDER / "rules_test.yml").read_text("utf-8"))
    assert tests["rule_files"] == ["rules.yml"]
    fired = {
        case["alertname"]
        for test in tests["tests"]
        for case in test.get("alert_rule_test", [])
        if case.get("exp_alerts")
    }
    assert fired == {rule["alert"] for rule in ALERTS}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs Prometheus's promtool")
@pytest.mark.parametrize("words", ["check rules rules.yml", "test rules rules_test.yml"])
def test_promtool(words: str):
    done = subprocess.run(
        ["promtool", *words.split()], cwd=FOLDER, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_is_laid_out():
    assert DASHBOARD["uid"] == DASHBOARD["title"] == "flowersim"
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken and max(x for x, _ in cells) < 24
        taken |= cells
    for panel in PANELS:
        assert panel["title"] and panel["description"]
        assert panel["datasource"]["uid"] == "${datasource}"
        refs = [target["refId"] for target in panel["targets"]]
        assert len(refs) == len(set(refs))


def test_the_dashboards_variables():
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert set(variables) == {"datasource", "model"}
    query = variables["model"]["query"]["query"]
    metric, label = re.fullmatch(r"label_values\((.*), (\w+)\)", query).groups()  # type: ignore[union-attr]
    assert label in EXPORTED[metric]
    text = json.dumps(DASHBOARD)
    assert set(re.findall(r"\$\{?(\w+)", text)) == {"datasource", "model", "__all"}
