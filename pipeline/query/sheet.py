"""Writes what a model server found as one HTML page that needs nothing else, to look at or send on.

Not for the page that asks a server itself: that is `serving/page`.
"""

from __future__ import annotations

import base64
import html
import io
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image, ImageOps

if TYPE_CHECKING:
    from pipeline.query.thumbnails import Thumbnails
    from serving.client import Neighbour

_SIDE = 192
# Names are escaped; were one not, it could neither run a script nor load anything.
_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'"
)
_STYLE = """
:root { color-scheme: light dark; --line: #8884; --match: #2e8b57; --other: #8a8a8a; }
body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; }
section { display: flex; gap: 1rem; align-items: flex-start; border-top: 1px solid var(--line);
  padding: 1rem 0; }
figure { margin: 0; width: 8.5rem; }
figure img { width: 100%; aspect-ratio: 1; object-fit: cover; border-radius: .4rem;
  display: block; }
figcaption { font-size: .85rem; overflow-wrap: anywhere; margin-top: .3rem; }
.query { flex: none; width: 10rem; }
.found { display: flex; flex-wrap: wrap; gap: .8rem; list-style: none; margin: 0; padding: 0; }
.found img { outline: 3px solid var(--other); outline-offset: -3px; }
.match img { outline-color: var(--match); }
.id { color: GrayText; }
.error { color: #c0392b; overflow-wrap: anywhere; }
"""


class Sheet:
    """A page that is written when it is closed.

    Args:
        path: The file.
        thumbnails: Those of the model.

    Raises:
        OSError: There is no folder for the file.
    """

    def __init__(self, path: pathlib.Path, thumbnails: Thumbnails) -> None:
        if not path.parent.is_dir():
            raise FileNotFoundError(f"{path.parent}, where the page is to be written, is no folder")
        self._path, self._thumbnails = path, thumbnails
        self._sections: list[str] = []

    def add(self, name: str, image: bytes, neighbours: Sequence[Neighbour]) -> None:
        """Adds a photo and its neighbours, with their thumbnails where the model has any."""
        thumbnails = self._thumbnails.of(neighbours) or [b""] * len(neighbours)
        items = "\n".join(
            _found(found, thumbnail)
            for found, thumbnail in zip(neighbours, thumbnails, strict=True)
        )
        self._sections.append(
            f'<section>\n<figure class="query"><img src="{_source(_reduced(image))}" alt="">'
            f"<figcaption>{html.escape(name)}</figcaption></figure>\n"
            f'<ol class="found">\n{items}\n</ol>\n</section>'
        )

    def failed(self, name: str, reason: str) -> None:
        """Adds why a photo has no neighbours."""
        self._sections.append(f'<section><p class="error">{html.escape(reason)}</p></section>')

    def close(self) -> None:
        """Writes the page, whole or not at all, and says so."""
        page = (
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
            f"<title>Images that look alike</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
            "<h1>Images that look alike</h1>\n"
            "<p>Framed in green: the model thinks that both show the same class.</p>\n"
            + "\n".join(self._sections)
            + "\n</body>\n</html>\n"
        )
        partial = self._path.with_name(f"{self._path.name}.partial")
        partial.write_text(page, "utf-8")
        partial.replace(self._path)
        print(f"wrote {self._path}")


def _found(found: Neighbour, thumbnail: bytes) -> str:
    kind, words = ("match", "match") if found.is_match else ("other", "no match")
    picture = f'<img src="{_source(thumbnail)}" alt="">' if thumbnail else ""
    return (
        f'<li class="{kind}"><figure>{picture}<figcaption>{html.escape(found.class_name)}<br>'
        f'{found.score:.4f}, {words}<br><span class="id">{html.escape(found.id)}</span>'
        "</figcaption></figure></li>"
    )


def _reduced(image: bytes) -> bytes:
    """A small JPEG of a photo, upright; the photo itself where Pillow cannot read it."""
    try:
        with Image.open(io.BytesIO(image)) as whole:
            small = ImageOps.exif_transpose(whole).convert("RGB")
            small.thumbnail((2 * _SIDE, 2 * _SIDE))
            file = io.BytesIO()
            small.save(file, "JPEG", quality=85)
            return file.getvalue()
    except (OSError, ValueError):
        return image


def _source(image: bytes) -> str:
    # Browsers look at the content, not at what it is called.
    return f"data:image/jpeg;base64,{base64.b64encode(image).decode('ascii')}"
