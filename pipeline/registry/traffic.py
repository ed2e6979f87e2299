"""How the traffic of an endpoint is divided among the versions deployed there; only arithmetic.

A split maps ids of deployed versions to per cent, whole numbers that add up to 100.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pipeline.vertex_ai.errors import VertexError


def canary(split: Mapping[str, int], new: str, share: int) -> dict[str, int]:
    """Gives a version a share, which all others give up in proportion to theirs.

    Args:
        split: As it is; empty if nothing is deployed.
        new: The version.
        share: Per cent, 0 to 100.

    Raises:
        VertexError: There is no other version to have the rest.

    >>> canary({"a": 60, "b": 40}, "c", 10)
    {'a': 54, 'b': 36, 'c': 10}
    """
    others = {key: part for key, part in split.items() if part > 0 and key != new}
    if not others:
        if share < 100:
            raise VertexError(
                f"nothing else is there to have the other {100 - share} % of the traffic"
            )
        return {new: 100}
    rest, total = 100 - share, sum(others.values())
    parts = {key: part * rest // total for key, part in others.items()}
    # What rounding down has left goes to those that lost most by it.
    lost = sorted(others, key=lambda key: (-(others[key] * rest % total), key))
    for key in lost[: rest - sum(parts.values())]:
        parts[key] += 1
    parts[new] = share
    return {key: part for key, part in parts.items() if part > 0}


def leader(split: Mapping[str, int]) -> str | None:
    """Returns the version with most of the traffic, None if there is none.

    >>> leader({"a": 10, "b": 90})
    'b'
    """
    return max(split, key=lambda key: (split[key], key), default=None)


def rollback_target(split: Mapping[str, int], deployed: Iterable[str], before: str | None) -> str:
    """Chooses the version to go back to.

    Args:
        split: As it is.
        deployed: All versions deployed, oldest first.
        before: The version that led before the one that leads now, if that is known.

    Raises:
        VertexError: No other version is deployed.
    """
    now = leader(split)
    others = [key for key in deployed if key != now]
    if before in others:
        return str(before)
    if not others:
        raise VertexError(
            "there is nothing to go back to: no other version is deployed (flowersim endpoint "
            "deploy deploys one)"
        )
    return others[-1]
