"""The Jinja environment of the report's pages: everything escaped, everything inlined.

Other pages extend `base.html.j2` with templates of their own: `environment(pictures, folder)`.
"""

from __future__ import annotations

import base64
import hashlib
import pathlib
from collections.abc import Mapping, Sequence

import jinja2
from jinja2.bccache import Bucket
from markupsafe import Markup

from components.report.page.formats import FILTERS

FOLDER = pathlib.Path(__file__).parent

# In this order: later rules win.
_STYLES = (
    *("base", "frame", "verdict", "cards", "charts"),
    *("tables", "pictures", "map", "media"),
)


class _Compiled(jinja2.BytecodeCache):
    """Templates that were compiled in this process: pages have environments of their own."""

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._code:
            bucket.bytecode_from_string(self._code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.bytecode_to_string()


_COMPILED = _Compiled()


def environment(pictures: Mapping[str, bytes], *folders: pathlib.Path) -> jinja2.Environment:
    """Makes the environment of one page.

    Args:
        pictures: WebP files by key, for `picture(key)` in templates.
        folders: Where other templates are, searched first.

    Returns:
        An environment with the filters of `formats.py`, and the globals `picture(key)` (a data URI,
        None where there is none), `style()` and `script(names)`.
    """
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, FOLDER / "templates"]),
        autoescape=True,
        undefined=jinja2.ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=_COMPILED,
    )
    made.filters.update(FILTERS)
    made.globals.update(
        picture=lambda key: _data_uri(pictures, key),
        style=_style,
        script=script,
        script_digest=script_digest,
    )
    return made


def _style() -> Markup:
    files = (FOLDER / "styles" / f"{name}.css" for name in _STYLES)
    return Markup("\n".join(file.read_text("utf-8") for file in files))


def script(names: Sequence[str]) -> Markup:
    """Returns the page's own scripts, one after the other."""
    return Markup("\n".join((FOLDER / name).read_text("utf-8") for name in names))


def script_digest(names: Sequence[str]) -> str:
    """Returns the source by which a content security policy allows just this script."""
    digest = hashlib.sha256(script(names).encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _data_uri(pictures: Mapping[str, bytes], key: str | None) -> str | None:
    if not key or key not in pictures:
        return None
    return "data:image/webp;base64," + base64.b64encode(pictures[key]).decode()
