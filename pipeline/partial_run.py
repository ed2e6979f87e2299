"""Which components a run of a part of the DAG consists of, and how TFX is told so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tfx.orchestration.pipeline import RunOptions

from pipeline.gallery_nodes import GALLERY_EDIT
from pipeline.settings_loader import SettingsError

# The resolver looks into the store, so its answer of an earlier run is out of date.
_RESOLVER = "Baseline"


def select(dag: Any, first: str | None, last: str | None) -> tuple[list[str], RunOptions | None]:
    """Selects the components from `first` on that `last` needs.

    Args:
        dag: The TFX pipeline.
        first: Id of the component to start with, None for the beginning: what it needs, directly
            or not, is taken from the latest run, and all else is run. Changes of the gallery made
            by hand are followed in any case.
        last: Id of the component to end with, None for all ends.

    Returns:
        Ids of the components that will run, and TFX's run options; None for the whole DAG.

    Raises:
        SettingsError: An unknown id, or nothing lies between the two.
    """
    nodes = {node.id: node for node in dag.components}
    for flag, name in (("--from", first), ("--to", last)):
        if name is not None and name not in nodes:
            raise SettingsError(f"{flag} {name}: there is no such component; {_list(nodes)}")
    if first is None and last is None:
        return list(nodes), None
    chosen = set(nodes)
    if first is not None:
        chosen -= _closure([nodes[first]], "upstream_nodes") - {first}
        if all(node.id in chosen for node in nodes[_RESOLVER].downstream_nodes):
            chosen.add(_RESOLVER)
        if GALLERY_EDIT in nodes:
            # What was removed from the gallery since then must not come back with results of the
            # latest run, wherever this one starts.
            edited = _closure([nodes[GALLERY_EDIT]], "downstream_nodes")
            chosen |= edited & _closure([nodes[name] for name in chosen], "upstream_nodes")
    if last is not None:
        chosen &= _closure([nodes[last]], "upstream_nodes")
    if first is not None and first not in chosen:
        raise SettingsError(
            f"--from {first} --to {last}: {last} does not depend on {first}; {_list(nodes)}"
        )
    options = RunOptions(
        # All of them: of the first ones alone, TFX takes only what depends on them.
        from_nodes=sorted(chosen) if first else None,
        to_nodes=[last] if last else None,
    )
    return [name for name in nodes if name in chosen], options


def _closure(nodes: Iterable[Any], direction: str) -> set[str]:
    """Ids of nodes and of all that is reached from them in one direction."""
    found: set[str] = set()
    open_nodes = list(nodes)
    while open_nodes:
        node = open_nodes.pop()
        if node.id not in found:
            found.add(node.id)
            open_nodes += getattr(node, direction)
    return found


def _list(nodes: Iterable[str]) -> str:
    return f"there are: {', '.join(nodes)}"
