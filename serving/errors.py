"""The errors that a server answers with: a canonical status code and a message for the client.

Not for how a code travels: REST turns it into an HTTP status in `rest_api.py`.
"""

from __future__ import annotations

import enum


class Code(enum.IntEnum):
    """The canonical codes of gRPC, which TensorFlow's errors carry too, by number."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class ServingError(Exception):
    """A failure whose message may be shown to a client.

    Args:
        code: What kind of failure it is.
        message: For the client; no paths of source files, no traceback.
    """

    def __init__(self, code: Code, message: str):
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def status(self) -> str:
        """Code and message as TensorFlow prints a status, for messages within messages."""
        return f"{self.code.name}: {self.message}"


def invalid_argument(message: str) -> ServingError:
    """The error of a request that can never succeed, whatever the server's state."""
    return ServingError(Code.INVALID_ARGUMENT, message)
