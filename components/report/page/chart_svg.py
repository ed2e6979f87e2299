"""Matplotlib figures as inline SVG whose colours are the page's CSS variables.

One SVG serves light, dark and print: it is drawn in placeholder colours, each of which becomes a
variable. Text stays text, in the page's font. It knows nothing of what is drawn (`charts.py`).
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

# Colours of the figure by name of the CSS variable: none is meant to be seen.
COLOURS = {
    "ink": "#010101",
    "soft": "#020202",
    "line": "#030303",
    "surface": "#040404",
    "series-1": "#050505",
    "series-2": "#060606",
    "series-3": "#070707",
    "series-4": "#080808",
}
_VARIABLES = {colour: f"var(--{name})" for name, colour in COLOURS.items()}
_ANY_COLOUR = re.compile("|".join(_VARIABLES))
_FONT = re.compile(r"font-family: [^;]*; ?")
_LONG_NUMBER = re.compile(r"-?\d+\.\d{2,}")

_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "flowersim",
    # A class may be named "$x$".
    "text.parse_math": False,
    "font.size": 12.5,
    "text.color": COLOURS["ink"],
    "axes.edgecolor": COLOURS["line"],
    "axes.labelcolor": COLOURS["soft"],
    "axes.labelsize": 12.5,
    "axes.linewidth": 1,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.xmargin": 0.02,
    "grid.color": COLOURS["line"],
    "grid.linewidth": 1,
    "hatch.linewidth": 1,
    "xtick.color": COLOURS["soft"],
    "xtick.major.size": 0,
    "ytick.color": COLOURS["soft"],
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 12.5,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


def draw(
    paint: Callable[[Axes], None], *, width: int, height: int, title: str, description: str
) -> str:
    """Draws one chart.

    Args:
        paint: Draws on the axes, in `COLOURS`.
        width: Of the chart, in pixels at its natural size; text is 12.5 pixels high there.
        height: The same.
        title: What it shows.
        description: What is seen on it, with the numbers that matter, for who cannot see it.

    Returns:
        An `<svg>` element for a page that defines the variables; deterministic.
    """
    buffer = io.BytesIO()
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        # Matplotlib's own font only measures the text, which the page's fonts show.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure = Figure(figsize=(width / 72, height / 72), layout="constrained")
        figure.get_layout_engine().set(w_pad=2 / 72, h_pad=2 / 72)  # type: ignore[union-attr, call-arg]
        paint(figure.add_subplot())
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        # Not `savefig`, which lays out and draws all of it once more.
        FigureCanvasSVG(figure).print_svg(buffer, metadata=nothing)
    return _inline(buffer.getvalue(), f"{title}. {description}".strip(), width)


def _inline(svg: bytes, alternative: str, width: int) -> str:
    """The drawing without what only a file of its own needs, and with names that stay unique."""
    root = ElementTree.fromstring(svg)
    # Marks and clips are referred to by name, and other charts on the page have the same ones.
    own = "c" + hashlib.sha256(svg + alternative.encode()).hexdigest()[:8]
    for parent in root.iter():
        for child in list(parent):
            empty = child.tag.endswith("}g") and not len(child)
            if empty or child.tag.endswith(("metadata", "style")):
                parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.tail = None
        if element.tag != "text":
            element.text = None
        for name, value in list(element.attrib.items()):
            del element.attrib[name]
            name = name.rpartition("}")[2]
            element.set(name, _attribute(name, value, own))
        if element.get("fill") in _VARIABLES:
            # Variables mean nothing in attributes.
            element.set("style", f"fill: {_VARIABLES[element.attrib.pop('fill')]}")
    _drop_unused_names(root)
    root.attrib = {
        "class": "chart",
        "viewBox": root.attrib["viewBox"],
        "role": "img",
        "aria-label": alternative,
        "style": f"max-width: {round(width * 1.25)}px",
    }
    return ElementTree.tostring(root, encoding="unicode")


def _attribute(name: str, value: str, own: str) -> str:
    if name == "id":
        return f"{own}-{value}"
    if name == "d":
        return _LONG_NUMBER.sub(
            lambda found: f"{float(found.group()):.1f}", " ".join(value.split())
        )
    if name == "style":
        value = _FONT.sub("", value)
        value = _ANY_COLOUR.sub(lambda found: _VARIABLES[found.group()], value)
    if name == "href":
        return f"#{own}-{value[1:]}"
    return value.replace("url(#", f"url(#{own}-")


def _drop_unused_names(root: ElementTree.Element) -> None:
    used = set()
    for element in root.iter():
        for name, value in element.attrib.items():
            if name != "id":
                used.update(re.findall(r"#([\w-]+)", value))
    for element in root.iter():
        if element.get("id") not in used:
            element.attrib.pop("id", None)
