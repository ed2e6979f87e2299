"""Makes of an error of TensorFlow's runtime one that a client can read.

TensorFlow wraps what an operation said in a page about where the node came from. The client needs
the innermost sentence; the page belongs in the server's log.
"""

from __future__ import annotations

import re

from serving.errors import Code, ServingError

_LONGEST = 1000
# Several nodes may have failed: "2 root error(s) found.\n  (0) INVALID_ARGUMENT: what it said …".
_FIRST_ROOT = re.compile(r"root error\(s\) found\.\s*\(0\)\s*(?:[A-Z_]+|[A-Z][a-z ]+): ?")
_BACKTRACE = re.compile(r"\n[ \t]*\[\[")
_PREFIX = re.compile(r"\{\{function_node [^}]*\}\}\s*")
_OPERATION = re.compile(r"\s*\[Op:[^\]]*\](?:\s*name:.*)?\s*$")
_HEADING = re.compile(
    r"Graph execution error:\s*|Detected at node .*|<stack traces unavailable>|\s+.*"
)


def from_op_error(code: int, message: str) -> ServingError:
    """The error for the client.

    Args:
        code: `tf.errors.OpError.error_code`.
        message: `tf.errors.OpError.message`.
    """
    known = Code(code) if code in set(Code) else Code.UNKNOWN
    return ServingError(known, innermost(message))


def innermost(message: str) -> str:
    r"""What the failing operation itself said.

    >>> innermost("Graph execution error:\n\nDetected at node a/Decode defined at (most recent "
    ...           "call last):\n<stack traces unavailable>\nInput is empty.\n\t [[{{node a/Decode}}"
    ...           "]] [Op:__inference_f_9]")
    'Input is empty.'
    """
    root = _FIRST_ROOT.search(message)
    text = message[root.end() :] if root else message
    lines = _BACKTRACE.split(text, maxsplit=1)[0].split("\n")
    while len(lines) > 1 and (not lines[0].strip() or _HEADING.fullmatch(lines[0])):
        lines.pop(0)
    found = _OPERATION.sub("", _PREFIX.sub("", "\n".join(lines))).strip()
    return (found or message.strip())[:_LONGEST]
