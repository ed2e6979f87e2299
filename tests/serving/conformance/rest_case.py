"""One line of a table of the REST API: a request, and the answer it must have."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from typing import Any

import httpx


@dataclasses.dataclass(frozen=True)
class Case:
    """A request and its answer.

    Attributes:
        name: What is tried.
        path: Of the URL.
        body: Of the request: text or bytes as they are, anything else as JSON; None for GET.
        answer: The body of the answer as Python reads it, where the status is 200. Of an error the
            whole message, or a pattern that is found in it, where that depends on how a server
            prints the request's JSON or on TensorFlow's version.
        status: Of the answer.
    """

    name: str
    path: str
    body: Any
    answer: Any
    status: int = 200

    def check(self, client: httpx.Client) -> None:
        """Sends the request and compares."""
        if self.body is None:
            response = client.get(self.path)
        else:
            body = self.body if isinstance(self.body, (str, bytes)) else json.dumps(self.body)
            response = client.post(self.path, content=body)
        assert response.status_code == self.status, response.text
        assert response.headers["content-type"] == "application/json"
        found = json.loads(response.text)
        if self.status == 200:
            assert equal(found, self.answer), found
            return
        assert list(found) == ["error"]
        if isinstance(self.answer, re.Pattern):
            assert self.answer.search(found["error"]), found["error"]
        else:
            assert found["error"] == self.answer, found["error"]


def equal(found: Any, expected: Any) -> bool:
    """Whether two JSON values are equal, NaN to itself, and of the same types."""
    if isinstance(found, float) and isinstance(expected, float) and math.isnan(expected):
        return math.isnan(found)
    if type(found) is not type(expected):
        return False
    if isinstance(found, dict):
        return found.keys() == expected.keys() and all(equal(found[k], expected[k]) for k in found)
    if isinstance(found, list):
        return len(found) == len(expected) and all(map(equal, found, expected))
    return found == expected


def ids(case: Case) -> str:
    """For pytest."""
    return case.name
