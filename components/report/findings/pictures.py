"""The pictures of single images: small WebP files, so that a page of hundreds stays light."""

from __future__ import annotations

import io

from PIL import Image

from components.report.findings.run_images import RunImages

# Shorter sides that are tried, in pixels; thumbnails are never enlarged.
SIDES = (128, 112, 96, 80, 64, 48, 32)
QUALITY = 75
# How long the encoder looks for a smaller file, 0 … 6. Twice the time would save 3 %.
_EFFORT = 2


class PictureBook:
    """Notes which images are shown; draws them all at last, in one size."""

    def __init__(self, images: RunImages) -> None:
        self._images = images
        self._rows: dict[str, int] = {}
        self._row_of = {identity: row for row, identity in enumerate(images.ids)}

    def add(self, row: int) -> str:
        """Notes an image, and returns the key of its picture."""
        key = self._images.ids[row]
        self._rows[key] = int(row)
        return key

    def add_id(self, identity: str) -> str | None:
        """The same by id; None if no such image is embedded."""
        row = self._row_of.get(identity)
        return None if row is None else self.add(row)

    def draw(self, max_bytes: float) -> dict[str, bytes]:
        """WebP pictures by key.

        Args:
            max_bytes: The largest of `SIDES` is taken with which they take no more; if none does,
                the smallest.
        """
        drawn: dict[str, bytes] = {}
        for side in SIDES:
            drawn = {
                key: encode(opened(self._images.thumbnails[row], side))
                for key, row in self._rows.items()
            }
            if sum(map(len, drawn.values())) <= max_bytes:
                break
        return drawn


def opened(thumbnail: bytes, side: int) -> Image.Image:
    """Decodes a thumbnail, in colour, its shorter side reduced to so many pixels."""
    picture = Image.open(io.BytesIO(thumbnail))
    # The decoder itself halves what is more than twice too large.
    picture.draft("RGB", (side, side))
    rgb = picture.convert("RGB")
    if min(rgb.size) <= side:
        return rgb
    scale = side / min(rgb.size)
    return rgb.resize(
        (max(1, round(rgb.width * scale)), max(1, round(rgb.height * scale))),
        Image.Resampling.LANCZOS,
        reducing_gap=2.0,
    )


def encode(picture: Image.Image) -> bytes:
    """Encodes as WebP."""
    buffer = io.BytesIO()
    picture.save(buffer, "webp", quality=QUALITY, method=_EFFORT)
    return buffer.getvalue()
