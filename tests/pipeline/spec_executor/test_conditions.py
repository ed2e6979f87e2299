"""The condition language: what compilers write, and any expression against Python's own values."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from pipeline.spec_executor.conditions import ConditionError, parse_condition

VARIABLES = {
    "inputs": {
        "parameter_values": {"n": 3, "rate": 0.5, "word": "heads", "yes": True},
        "parameters": {"old": {"string_value": "x"}},
        "artifacts": {
            "model": {"artifacts": [{"uri": "/m", "metadata": {"blessed": 1.0, "who": "me"}}]},
            "none": {"artifacts": []},
        },
    }
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # As TFX's placeholder_to_cel writes them.
        ("(inputs.artifacts['model'].artifacts[0].metadata['blessed'] == 1.0)", True),
        ("!((inputs.artifacts['model'].artifacts[0].metadata['blessed'] == 1.0))", False),
        ("((inputs.artifacts['model'].artifacts[0].uri + '/x') == '/m/x')", True),
        ("(inputs.artifacts['model'].artifacts[0].metadata['blessed'] < -2.0)", False),
        # As KFP's compiler writes them.
        ("inputs.parameter_values['word'] == 'heads'", True),
        ("int(inputs.parameter_values['n']) > 5", False),
        ("!(inputs.parameter_values['n'] == 'x') && int(inputs.parameter_values['n']) > 2", True),
        ("inputs.parameter_values['rate'] <= double(1)", True),
        ("inputs.parameter_values['yes'] == true", True),
        ("inputs.parameters['old'].string_value == 'x'", True),
        # Precedence, kinds, functions.
        ("true || false && false", True),
        ("1 + 2 == 3 && 'a' + \"b\" == 'ab'", True),
        ("1 == true || '1' == 1", False),
        ("size('abc') == 3 && string(2) == '2' && int('4') == 4 && bool('true')", True),
        ("int(2.9) == 2 && int(-2.9) == -2", True),
        (r"'it\'s' == \"it's\"".replace('\\"', '"'), True),
    ],
)  # fmt: skip
def test_values(text: str, value: bool):
    assert parse_condition(text)(VARIABLES) is value


@pytest.mark.parametrize(
    "text",
    ["", "a ==", "(a", "a b", "a ? b : c", "a[", "a.1", "1 = 1", "f('a')", "a & b", "'a", "a.b("],
)  # fmt: skip
def test_what_is_no_condition_is_refused_when_parsed(text: str):
    with pytest.raises(ConditionError, match="the condition"):
        parse_condition(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("inputs.parameter_values['x'] == 1", "there is no x, only n, rate, word, yes"),
        ("inputs.artifacts['none'].artifacts[0].uri == ''", "there is no item 0, there are 0"),
        ("1.0", "1.0 is neither true nor false"),
        ("1 && true", "1.0 is neither true nor false"),
        ("'a' < 1", "are not comparable"),
        ("int('x') == 1", "'x' cannot be converted"),
        ("true + 1 == 2", "True is no number"),
    ],
)
def test_what_has_no_value_says_why(text: str, message: str):
    with pytest.raises(ConditionError, match=message):
        parse_condition(text)(VARIABLES)


numbers = st.integers(0, 9).map(lambda n: (str(n), float(n)))
texts = st.text("abc '\"\\", max_size=4).map(lambda t: (_quoted(t), t))


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _compared(pair: tuple[Any, str, Any]) -> tuple[str, bool]:
    (left, one), sign, (right, other) = pair
    python = {"==": one == other, "!=": one != other, "<": one < other, "<=": one <= other,
              ">": one > other, ">=": one >= other}  # fmt: skip
    return f"{left} {sign} {right}", python[sign]


signs = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
sums = st.lists(numbers, min_size=1, max_size=3).map(
    lambda parts: (" + ".join(text for text, _ in parts), sum(value for _, value in parts))
)
comparisons = st.one_of(
    st.tuples(sums, signs, sums).map(_compared),
    st.tuples(texts, signs, texts).map(_compared),
    st.sampled_from([("true", True), ("false", False)]),
)
expressions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        inner.map(lambda e: (f"!({e[0]})", not e[1])),
        inner.map(lambda e: (f"( {e[0]} )", e[1])),
        st.tuples(inner, inner).map(lambda p: (f"({p[0][0]}) && ({p[1][0]})", p[0][1] and p[1][1])),
        st.tuples(inner, inner).map(lambda p: (f"({p[0][0]}) || ({p[1][0]})", p[0][1] or p[1][1])),
    ),
    max_leaves=12,
)


@hypothesis.given(expressions)
def test_any_expression_has_the_value_that_python_gives_its_parts(expression: tuple[str, bool]):
    text, value = expression
    assert parse_condition(text)({}) is value


@hypothesis.given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=6))
def test_and_binds_closer_than_or(terms: list[tuple[bool, bool]]):
    words = {True: "true", False: "false"}
    text = " || ".join(f"{words[a]} && {words[b]}" for a, b in terms)
    assert parse_condition(text)({}) is any(a and b for a, b in terms)


@hypothesis.given(st.text("ab01.'\"[]()<>=!&|+- \\", max_size=20))
def test_any_text_is_a_condition_or_refused(text: str):
    try:
        condition = parse_condition(text)
    except ConditionError:
        return
    try:
        assert condition({}) in (True, False)
    except ConditionError as error:
        assert "has no value" in str(error)
