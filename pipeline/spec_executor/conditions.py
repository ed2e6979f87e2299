"""Trigger conditions: the part of CEL, the Common Expression Language, that TFX and KFP write.

That is: literals, `||`, `&&`, `!`, comparisons, `+`, `-`, parentheses, fields `a.b`, items `a['b']`
and `a[0]`, and the functions int, double, string, bool and size. A condition is parsed when the
spec is loaded, so that a mistake in it stops nothing half-way.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.spec_executor.errors import TaskError

Evaluate = Callable[[Mapping[str, Any]], Any]

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>\d+\.\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|\d+(?:[eE][+-]?\d+)?)
    |(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    |(?P<name>[A-Za-z_]\w*)
    |(?P<sign>\|\||&&|==|!=|<=|>=|[<>!+\-().\[\]])
    )""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}
_WORDS = {"true": True, "false": False, "null": None}
_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}


class ConditionError(TaskError):
    """A condition that cannot be parsed, or has no value with the inputs at hand."""


def parse_condition(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """Parses a condition.

    Args:
        text: The expression.

    Returns:
        A function from the variables (`inputs`) to whether the condition holds. It raises
        ConditionError where the expression has no value, or none that is true or false.

    Raises:
        ConditionError: It is outside the supported part of CEL.
    """
    parser = _Parser(text)
    expression = parser.any_of()
    parser.expect_end()

    def evaluate(variables: Mapping[str, Any]) -> bool:
        try:
            return _truth(expression(variables))
        except _ValueError as error:
            raise ConditionError(f"the condition {text} has no value: {error}") from None

    return evaluate


class _ValueError(Exception):
    """Why an expression has no value."""


class _Parser:
    """Recursive descent, one method for each level of precedence."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            match = _TOKEN.match(text, at)
            if not match:
                raise ConditionError(
                    f"the condition {text} has {text[at:].strip()[:20]!r}, which is not supported"
                )
            self._tokens.append((str(match.lastgroup), match[str(match.lastgroup)]))
            at = match.end()
        self._at = 0

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "its end")

    def _take(self, *signs: str) -> str | None:
        kind, token = self._peek()
        if kind == "sign" and token in signs:
            self._at += 1
            return token
        return None

    def _expect(self, sign: str) -> None:
        if not self._take(sign):
            raise ConditionError(
                f"the condition {self._text} has {self._peek()[1]} where {sign} should be"
            )

    def expect_end(self) -> None:
        kind, token = self._peek()
        if kind != "end":
            raise ConditionError(f"the condition {self._text} goes on with {token} after its end")

    def any_of(self) -> Evaluate:
        value = self._all_of()
        while self._take("||"):
            value = _either(value, self._all_of())
        return value

    def _all_of(self) -> Evaluate:
        value = self._comparison()
        while self._take("&&"):
            value = _both(value, self._comparison())
        return value

    def _comparison(self) -> Evaluate:
        value = self._sum()
        while sign := self._take(*_COMPARISONS):
            value = _compare(sign, value, self._sum())
        return value

    def _sum(self) -> Evaluate:
        value = self._unary()
        while sign := self._take("+", "-"):
            value = _add(sign, value, self._unary())
        return value

    def _unary(self) -> Evaluate:
        if self._take("!"):
            inner = self._unary()
            return lambda variables: not _truth(inner(variables))
        if self._take("-"):
            inner = self._unary()
            return lambda variables: -_number(inner(variables))
        return self._member()

    def _member(self) -> Evaluate:
        value = self._primary()
        while sign := self._take(".", "["):
            if sign == ".":
                kind, name = self._peek()
                if kind != "name":
                    raise ConditionError(f"the condition {self._text} has {name} after a dot")
                self._at += 1
                value = _item(value, lambda variables, name=name: name)  # type: ignore[misc]
            else:
                value = _item(value, self.any_of())
                self._expect("]")
        return value

    def _primary(self) -> Evaluate:
        kind, token = self._peek()
        self._at += 1
        if kind == "number":
            number = float(token)
            return lambda variables: number
        if kind == "text":
            text = _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], match[1]), token[1:-1])
            return lambda variables: text
        if kind == "name" and token in _WORDS:
            return lambda variables: _WORDS[token]
        if kind == "name" and self._take("("):
            if token not in _FUNCTIONS:
                raise ConditionError(f"the condition {self._text} calls {token}, not supported")
            argument, function = self.any_of(), _FUNCTIONS[token]
            self._expect(")")
            return lambda variables: function(argument(variables))
        if kind == "name":
            return _item(lambda variables: variables, lambda variables: token)
        if (kind, token) == ("sign", "("):
            inner = self.any_of()
            self._expect(")")
            return inner
        raise ConditionError(f"the condition {self._text} has {token} where a value should be")


def _either(left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda variables: _truth(left(variables)) or _truth(right(variables))


def _both(left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda variables: _truth(left(variables)) and _truth(right(variables))


def _compare(sign: str, left: Evaluate, right: Evaluate) -> Evaluate:
    def compare(variables: Mapping[str, Any]) -> bool:
        one, other = left(variables), right(variables)
        if sign in ("==", "!="):
            # To Python true is 1; to CEL they are different.
            same = isinstance(one, bool) == isinstance(other, bool) and one == other
            return same == (sign == "==")
        if isinstance(one, str) != isinstance(other, str):
            raise _ValueError(f"{one!r} and {other!r} are not comparable")
        if not isinstance(one, str):
            one, other = _number(one), _number(other)
        return _COMPARISONS[sign](one, other)

    return compare


def _add(sign: str, left: Evaluate, right: Evaluate) -> Evaluate:
    def add(variables: Mapping[str, Any]) -> Any:
        one, other = left(variables), right(variables)
        if sign == "+" and isinstance(one, str) and isinstance(other, str):
            return one + other
        return _number(one) + (_number(other) if sign == "+" else -_number(other))

    return add


def _item(container: Evaluate, key: Evaluate) -> Evaluate:
    def item(variables: Mapping[str, Any]) -> Any:
        values, index = container(variables), key(variables)
        if isinstance(values, list) and isinstance(index, float):
            if index.is_integer() and 0 <= index < len(values):
                return values[int(index)]
            raise _ValueError(f"there is no item {index:g}, there are {len(values)}")
        if isinstance(values, Mapping) and isinstance(index, str):
            if index in values:
                return values[index]
            raise _ValueError(f"there is no {index}, only {', '.join(values) or 'nothing'}")
        raise _ValueError(f"{values!r} has no item {index!r}")

    return item


def _truth(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    raise _ValueError(f"{value!r} is neither true nor false")


def _number(value: Any) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    raise _ValueError(f"{value!r} is no number")


def _converted(convert: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def function(value: Any) -> Any:
        try:
            return convert(value)
        except (TypeError, ValueError, OverflowError):
            raise _ValueError(f"{value!r} cannot be converted") from None

    return function


def _string(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.17g}" if float(f"{value:g}") != value else f"{value:g}"
    return str(value)


def _bool(value: Any) -> bool:
    if value in ("true", "false"):
        return bool(value == "true")
    return _truth(value)


_FUNCTIONS: Mapping[str, Callable[[Any], Any]] = {
    # CEL truncates towards zero, as Python does; texts must be whole numbers.
    "int": _converted(lambda value: float(int(value))),
    "double": _converted(float),
    "string": _string,
    "bool": _bool,
    "size": _converted(lambda value: float(len(value))),
}
