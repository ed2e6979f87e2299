"""A clock that tests turn by hand."""

from __future__ import annotations

from types import SimpleNamespace

import pytest


def use_clock(monkeypatch: pytest.MonkeyPatch, module: str, now: list[float]) -> None:
    """Has a module read `now[0]` as its monotonic clock, and nobody else.

    Were `time.monotonic` itself replaced, servers in threads of the same process would go by it:
    what they are waiting for would come in a million seconds.
    """
    monkeypatch.setattr(f"{module}.time", SimpleNamespace(monotonic=lambda: now[0]))
