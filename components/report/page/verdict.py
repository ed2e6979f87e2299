"""The answer of the first screen, in words: is the model good, what changed, where does it fail."""

from __future__ import annotations

import dataclasses

from components.report.page import facts
from components.report.page.facts import Content, Context
from components.report.page.formats import (
    PER_CENT,
    change,
    change_interval,
    counted,
    listed,
    metric_name,
    number,
    percent,
)

_PRAISE, _BLAME, _CALM = "good", "bad", "calm"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the run came to.

    Attributes:
        kind: good, bad or calm.
        chip: The judgement in two words.
        sentence: How good the model is.
        remarks: Reasons, changes and failures, a sentence or two each.
    """

    kind: str
    chip: str
    sentence: str
    remarks: list[str]


def verdict(content: Content, context: Context) -> Verdict:
    """Sums a run up."""
    kind, chip, remarks = _judgement(content, context)
    remarks = [*remarks, *_changes(content, context), *_failures(content)]
    return Verdict(kind, chip, _sentence(content, context), list(filter(None, remarks)))


def _sentence(content: Content, context: Context) -> str:
    for split in facts.evaluated_splits(content):
        recall = facts.measured(content, split, "recall_at_1")
        if recall:
            count = facts.queries(content, split)
            asked = counted(count, f"{split} query", f"{split} queries") if count else split
            return (
                "The most similar image is of the right class for "
                f"{percent(recall['value'])} of the {asked}"
            )
    if _failed(context):
        return "The run failed before its model was evaluated"
    return "The model of this run was not evaluated"


def _failed(context: Context) -> bool:
    return (context.get("run") or {}).get("status") == "failed"


def _judgement(content: Content, context: Context) -> tuple[str, str, list[str]]:
    """Kind, chip, and what is said to it."""
    blessed, pushed = content.get("blessed"), context.get("pushed_model")
    check = content.get("serving_check") or {}
    reasons = [_ended(reason) for reason in content.get("not_blessed_because") or ()]
    if _failed(context):
        error = (context.get("run") or {}).get("error")
        return _BLAME, "Failed", [_ended(f"The run failed: {error}") if error else "", *reasons]
    if blessed is False:
        why = ": " + " ".join(reasons) if reasons else "."
        return _BLAME, "Refused", [f"Not blessed, so not pushed{why}"]
    if blessed and check.get("ok") is False:
        why = f"Blessed by its metrics, and not pushed: {check.get('reason') or 'no reason given'}"
        return _BLAME, "Failed in the server", [_ended(why)]
    if pushed:
        tried = "" if not check.get("ok") else ", and answered as it must when tried in a server"
        return (
            _PRAISE,
            "Blessed and pushed",
            [f"It clears every threshold{tried}. It is served from {pushed}."],
        )
    if blessed and context.get("held_back"):
        return _CALM, "Blessed, held back", [_ended(f"Not pushed: {context['held_back']}")]
    if blessed:
        tried = ", and answered as it must when tried in a server" if check.get("ok") else ""
        return _PRAISE, "Blessed", [f"It clears every threshold{tried}."]
    return _CALM, "Not judged", ["No threshold was asked of this model, and it was not pushed."]


def _changes(content: Content, context: Context) -> list[str]:
    """What changed against the last blessed model, and against the backbone before training."""
    said = []
    split = next(
        (s for s in ("validation", "test") if facts.difference(content, s, "recall_at_1")), None
    )
    if split:
        parts = [_change_in_words(content, split, metric) for metric in ("recall_at_1", "map_at_r")]
        said.append(
            f"Against the last blessed model, on {split}: {'; '.join(filter(None, parts))}."
        )
    elif facts.evaluated_splits(content):
        said.append("There was no blessed model before it to compare with.")
    frozen = ((content.get("training") or {}).get("frozen") or {}).get("recall_at_1")
    now = facts.measured(content, "validation", "recall_at_1")
    if frozen is not None and now:
        said.append(
            f"The same network before any training has recall@1 {number(frozen)} on validation; "
            f"this model has {number(now['value'])}."
        )
    return said


def _change_in_words(content: Content, split: str, metric: str) -> str:
    found = facts.difference(content, split, metric)
    if not found:
        return ""
    name = metric_name(metric)
    if found["value"] == 0 and not facts.is_clear(found):
        return f"{name} is unchanged"
    clear = facts.is_clear(found)
    if clear is None:
        return f"{name} {change(found['value'])}, without an interval (too few queries)"
    chance = "more than chance explains" if clear else "which chance alone may explain"
    return f"{name} {change(found['value'])} (95{PER_CENT}: {change_interval(found)}), {chance}"


def _failures(content: Content) -> list[str]:
    """The classes that are found worst, and what they are taken for."""
    worst = [
        row
        for row in (content.get("per_class") or ())[:3]
        if row.get("recall_at_1") is not None and row["recall_at_1"] < 1
    ]
    said = []
    if worst:
        named = [
            f"{row['name']} ({round(row['recall_at_1'] * row['queries'])} of "
            f"{counted(row['queries'], 'query', 'queries')} right)"
            for row in worst
        ]
        said.append(f"It fails most on {listed(named)}.")
    confused = (content.get("confusions") or [None])[0]
    if confused:
        said.append(
            f"It most often takes {confused['class_name']} for {confused['other']}: "
            f"{confused['wrong']} of {counted(confused['queries'], 'query', 'queries')}."
        )
    return said


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
