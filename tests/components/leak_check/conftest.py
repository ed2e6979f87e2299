"""Photos of flowers, and what happens to photos."""

from __future__ import annotations

import itertools

import pytest
from PIL import Image

from benchmarks.near_duplicates import CHANGES, Change, jpeg, synthetic_photos


@pytest.fixture(params=CHANGES)
def change(request: pytest.FixtureRequest) -> Change:
    """Something that makes a near-duplicate of a photo."""
    return CHANGES[request.param]


@pytest.fixture(scope="session")
def photos() -> list[Image.Image]:
    """Twelve, by turns of two species."""
    return [photo for photo, _ in itertools.islice(synthetic_photos(96, species=2), 12)]


@pytest.fixture(scope="session")
def encoded(photos: list[Image.Image]) -> list[bytes]:
    """The same as files."""
    return [jpeg(photo) for photo in photos]
