"""Tells from a task's log what a person wants to know first: the last line, and why it failed."""

from __future__ import annotations

import pathlib
import re

_TAIL_BYTES = 1 << 16
_SHOWN_LINES = 6
_TRACEBACK = "Traceback (most recent call last):"
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(:|$)")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


def tail(log: pathlib.Path) -> list[str]:
    """The last lines of a log that are not empty, without control characters; may be none."""
    try:
        with open(log, "rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - _TAIL_BYTES))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    # A progress bar writes over its line.
    lines = [line.rstrip().rpartition("\r")[2] for line in text.split("\n")]
    return [line for line in (_CONTROL.sub("", line).rstrip() for line in lines) if line]


def last_line(log: pathlib.Path) -> str:
    """The last line of a log, or ""."""
    lines = tail(log)
    return lines[-1].strip() if lines else ""


def reason(log: pathlib.Path) -> str:
    """Why a process failed, as its log has it.

    The message of the last Python exception, if there is one and no more than a few lines come
    after it; otherwise the last lines.
    """
    lines = tail(log)
    starts = [index for index, line in enumerate(lines) if line.endswith(_TRACEBACK)]
    if starts:
        after = lines[starts[-1] + 1 :]
        for index, line in enumerate(after):
            if not line[0].isspace() and _EXCEPTION.match(line):
                return "\n".join(after[index : index + _SHOWN_LINES])
    return "\n".join(lines[-_SHOWN_LINES:])
