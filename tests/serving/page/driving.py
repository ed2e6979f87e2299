"""What a visitor does to the page and sees on it, for the tests."""

from __future__ import annotations

import base64
import json
import pathlib
from typing import Any

import httpx

_MAKE_FILES = """files => {
  const transfer = new DataTransfer();
  for (const [name, type, text] of files) {
    const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
    transfer.items.add(new File([bytes], name, {type}));
  }
  return transfer;
}"""


def wait_until(page, kind: str) -> None:
    """Waits for a state of the server as the page shows it."""
    page.locator(f"#state[data-kind={kind}]").wait_for()


def choose(page, *files: tuple[str, bytes]) -> None:
    """Chooses files with the button, by name and content."""
    with page.expect_file_chooser() as chooser:
        page.locator("#choose").click()
    name, content = files[0]
    chooser.value.set_files({"name": name, "mimeType": "", "buffer": content})


def drag(page, path: pathlib.Path) -> None:
    """Drags a file from the desktop over the page, and lets it fall, as the browser sees it."""
    devtools = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path)], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        if kind == "drop":
            page.locator(".drop-cover").wait_for()
        devtools.send("Input.dispatchDragEvent", dict(type=kind, x=300, y=300, data=data))


def drop(page, *files: tuple[str, str, bytes]) -> None:
    """Drops files of name, type and content."""
    rows = [[name, kind, base64.b64encode(content).decode()] for name, kind, content in files]
    transfer = page.evaluate_handle(_MAKE_FILES, rows)
    page.dispatch_event("main", "drop", {"dataTransfer": transfer})


def answered(page, query: str) -> list[dict[str, Any]]:
    """Waits until the page shows what it found for a query of this name, and reads it."""
    page.locator("#asking-title", has_text=query).wait_for()
    page.locator("#results").wait_for()
    return tiles(page)


def tiles(page) -> list[dict[str, Any]]:
    """The neighbours on the page, in order."""
    return page.locator(".tile").evaluate_all(
        """found => found.map(tile => ({
          id: tile.title,
          name: tile.querySelector(".name").textContent,
          score: tile.querySelector(".score").textContent,
          match: tile.classList.contains("matching"),
          badge: tile.querySelector(".badge")?.textContent ?? "",
        }))"""
    )


def expected(server: str, image: bytes, model: str = "flowers") -> list[dict[str, Any]]:
    """What the page must show for an image, asked of the server without it."""
    body = {"instances": [{"b64": base64.b64encode(image).decode()}]}
    response = httpx.post(f"{server}/v1/models/{model}:predict", content=json.dumps(body))
    row = response.raise_for_status().json()["predictions"][0]
    return [
        {
            "id": row["neighbour_ids"][n],
            "name": row["neighbour_class_names"][n],
            "score": f"{score:.2f}",
            "match": row["is_match"][n],
            "badge": "match" if row["is_match"][n] else "",
        }
        for n, score in enumerate(row["neighbour_scores"])
        if row["neighbour_labels"][n] >= 0
    ]


def sent_image(request) -> bytes:
    """The image in a request of the page."""
    return base64.b64decode(json.loads(request.post_data)["instances"][0]["b64"])
