"""The limits of a model as its own findings show them: sentences for the model card."""

from __future__ import annotations

from components.report.page import facts
from components.report.page.facts import Content, Context
from components.report.page.formats import counted, listed, percent

FEW_QUERIES = 500  # below, an interval of recall@1 is wider than about ±0.04
FEW_OF_A_CLASS = 20
_WORST = 5


def limits(content: Content, context: Context) -> list[str]:
    """Returns them, the weightiest first."""
    if not facts.evaluated_splits(content):
        return ["Nothing was measured of this model."]
    return [
        sentence
        for sentence in (
            _leaks(content),
            _unseen_classes(context),
            _other_galleries(content, context),
            _unanswerable(content),
            _few_queries(content),
            _few_of_a_class(content),
            _worst(content),
            _one_class(content),
            _one_seed(context),
        )
        if sentence
    ]


def _leaks(content: Content) -> str:
    data = content.get("data") or {}
    near, same = data.get("near_duplicates"), data.get("duplicates") or {}
    said = []
    if near is None:
        said.append("Nobody looked for near-duplicates across splits.")
    elif near["count"] and not near["left_out"]:
        said.append(
            f"{counted(near['count'], 'image')} of validation or test "
            f"{'looks' if near['count'] == 1 else 'look'} like one of an earlier split and "
            f"{'takes' if near['count'] == 1 else 'take'} part in the evaluation, which may "
            "flatter it."
        )
    if (same.get("across_splits") or 0) and not same.get("dropped"):
        said.append(
            f"{counted(same['across_splits'], 'file is', 'files are')} the same in several splits, "
            "and none was left out."
        )
    return " ".join(said)


def _unseen_classes(context: Context) -> str:
    if facts.setting(context, "data.division.held_out_classes") != 0:
        return ""
    return (
        "How well it finds images of classes it was never trained on was not measured "
        "(data.division.held_out_classes is 0)."
    )


def _other_galleries(content: Content, context: Context) -> str:
    splits = facts.evaluated_splits(content)
    served = facts.setting(context, "gallery.splits")
    galleries = facts.gallery_splits(content, context, splits[0]) if splits else None
    if galleries is None or served is None or galleries == list(served):
        return ""
    within = "each split itself" if galleries == splits[:1] else listed(galleries)
    return (
        f"The metrics are of searching in {within}; the served model searches in "
        f"{listed(list(served))}, with other numbers of images for each class."
    )


def _unanswerable(content: Content) -> str:
    without = (content.get("protocol") or {}).get("without_relevant")
    if not without:
        return ""
    return (
        f"{counted(without, 'query has', 'queries have')} no other image of the class to find; no "
        "mean counts them."
    )


def _few_queries(content: Content) -> str:
    few = [
        f"{count} of {split}"
        for split in facts.evaluated_splits(content)
        if (count := facts.queries(content, split)) and count < FEW_QUERIES
    ]
    if not few:
        return ""
    return f"There are few queries ({listed(few)}): small differences can be chance."


def _few_of_a_class(content: Content) -> str:
    rows = content.get("per_class") or ()
    few = [row for row in rows if row["queries"] < FEW_OF_A_CLASS]
    if not few:
        return ""
    subject = content.get("subject")
    return (
        f"{len(few)} of {counted(len(rows), 'class', 'classes')} have fewer than {FEW_OF_A_CLASS} "
        f"{subject} queries: what is said of them singly is uncertain, as their intervals show."
    )


def _worst(content: Content) -> str:
    half = [row for row in content.get("per_class") or () if (row["recall_at_1"] or 0) < 0.5]
    if not half:
        return ""
    named = [f"{row['name']} ({percent(row['recall_at_1'])})" for row in half[:_WORST]]
    more = f" and {len(half) - _WORST} more" if len(half) > _WORST else ""
    words = ", ".join(named) + more if more else listed(named)
    return f"The most similar image is wrong more often than right for {words}."


def _one_class(content: Content) -> str:
    first = (content.get("confusions") or [None])[0]
    if not first or not first.get("mutual"):
        return ""
    return (
        f"It takes {first['class_name']} and {first['other']} for each other: {first['wrong']} of "
        f"{counted(first['queries'], 'query', 'queries')}, and {first['mutual']} the other way "
        "round."
    )


def _one_seed(context: Context) -> str:
    if facts.setting(context, "training.seed") is None:
        return ""
    return (
        "The intervals are about the choice of queries. Another training seed changes the result "
        "as well, and that was not measured."
    )
