"""A real browser, for the tests of pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

import pytest

_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="module")
def browser() -> Iterator:
    """Chromium. Of a module only: while it runs, nothing else can use asyncio in this thread."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    with playwright.sync_playwright() as started:
        if found is None and os.path.exists(started.chromium.executable_path):
            found = started.chromium.executable_path
        if found is None:
            pytest.skip("needs Chromium or Chrome")
        # Its own sandbox cannot be had in every container.
        opened = started.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield opened
        opened.close()
