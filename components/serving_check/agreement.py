"""Whether two answers to one question say the same, although floating point rounds differently.

A server may run a batch of another size, and sums come out in another order. Scores may then differ
by a rounding error, and where two scores are that close their order, or which of them is the last
to be listed, is free. All else must be equal.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

# Of cosines, probabilities and coordinates of unit vectors, all at most 1: some hundred roundings
# of float32.
TOLERANCE = 1e-5


def rows_differ(
    answer: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray], *, ranked: str, by: str
) -> str:
    """Compares lists of things that are ranked by a score, best first.

    Args:
        answer: Arrays by name, each [B, K].
        expected: The like.
        ranked: Name of the array of the things' names, bytes.
        by: Name of the array of their scores. Any other array holds what is known of each thing;
            of booleans it is taken that they may change where the score has.

    Returns:
        What differs, in words; empty if nothing does.
    """
    rows = {len(values) for values in (*answer.values(), *expected.values())}
    if len(rows) > 1:
        return f"{len(answer[ranked])} rows in place of {len(expected[ranked])}"
    for row in range(len(expected[ranked])):
        one = {name: values[row] for name, values in answer.items()}
        other = {name: values[row] for name, values in expected.items()}
        words = _row_differs(one, other, ranked, by)
        if words:
            return f"row {row}: {words}" if len(expected[ranked]) > 1 else words
    return ""


def arrays_differ(answer: np.ndarray, expected: np.ndarray) -> str:
    """Compares arrays of numbers at most 1, or of bytes.

    Returns:
        What differs, in words; empty if nothing does.
    """
    if answer.shape != expected.shape:
        return f"shape {list(answer.shape)} in place of {list(expected.shape)}"
    if expected.dtype == object:
        return "" if np.array_equal(answer, expected) else "other bytes"
    # Written so that NaN is no agreement.
    difference = np.abs(answer.astype(np.float64) - expected.astype(np.float64))
    if np.all(difference <= TOLERANCE):
        return ""
    return f"numbers differ by up to {np.max(difference):.2g}"


def _row_differs(
    answer: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray], ranked: str, by: str
) -> str:
    for name in expected:
        if answer[name].shape != expected[name].shape:
            return f"{len(answer[name])} {name} in place of {len(expected[name])}"
    if words := arrays_differ(answer[by], expected[by]):
        return f"{by}: {words}"
    # The same number in the same place as float32, so that what the flags come from is compared.
    found = {name: values.astype(expected[name].dtype) for name, values in answer.items()}
    for left, right in ((found, expected), (expected, found)):
        place = {name: position for position, name in enumerate(right[ranked].tolist())}
        for position, name in enumerate(left[ranked].tolist()):
            score, last = float(left[by][position]), float(right[by][-1])
            if name not in place:
                # Each score may be wrong by the tolerance.
                if score > last + 2 * TOLERANCE:
                    return f"{ranked} differ: only one of both has {_text(name)}"
                continue
            twin = place[name]
            if right[ranked][position] == name:
                twin = position  # padding repeats a name
            if abs(score - float(right[by][twin])) > TOLERANCE:
                return f"{ranked} differ: {_text(name)} scores {score} and {right[by][twin]}"
            for other in set(expected) - {ranked, by}:
                values = left[other][position], right[other][twin]
                free = expected[other].dtype == bool and score != float(right[by][twin])
                if values[0] != values[1] and not free:
                    return f"{other} of {_text(name)}: {values[0]} and {values[1]}"
    return ""


def _text(name: bytes) -> str:
    return repr(name.decode(errors="replace"))
