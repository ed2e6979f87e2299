"""The URLs of the web page: its files, and which models it can ask.

`GET /` leads to `GET /page/`, so that the page's own links hold here, on any other web server and
in a folder. `GET /page/models.json` tells the page what is served. Every other path and verb
belongs to TensorFlow Serving's API. Not for what the page does: `page/`.
"""

from __future__ import annotations

import hashlib
import pathlib
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from serving.models import Models

PAGE, FOLDER = "/page/", pathlib.Path(__file__).with_name("page")

# The page loads what is beside it, shows images from memory, and asks this server alone: a link
# with `?server=` in it cannot make it send a photo elsewhere. (The policy in index.html is for
# copies of the page that ask other servers. Where there are two policies, both hold.)
POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ]
)

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def page_routes(models: Models) -> list[Route]:
    """The routes of the page.

    Args:
        models: What it can ask.

    Raises:
        OSError: if its files cannot be read.
    """

    async def lead(request: Request) -> Response:
        # Not `request.url`: that reads the Host header, in which anything may be.
        query = request.scope["query_string"].decode("latin-1")
        return RedirectResponse(f"page/?{query}" if query else "page/")

    async def list_models(request: Request) -> Response:
        # `api` is where the API is, seen from here.
        found = {"models": [config.name for config in models.configs()], "api": "../"}
        return JSONResponse(found, headers={**_HEADERS, "Cache-Control": "no-store"})

    routes = [Route("/", lead), Route("/page", lead), Route(f"{PAGE}models.json", list_models)]
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in _TYPES:
            file = _file(path.read_bytes(), _TYPES[path.suffix])
            routes.append(Route(f"{PAGE}{path.name}", file))
            if path.name == "index.html":
                routes.append(Route(PAGE, file))
    return routes


def _file(content: bytes, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    """What answers with a file, or that a browser's copy of it is still good."""
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    # A browser keeps its copy, but asks each time: another server, another page.
    headers = {**_HEADERS, "Cache-Control": "no-cache", "ETag": tag}

    async def answer(request: Request) -> Response:
        known = [one.strip() for one in request.headers.get("if-none-match", "").split(",")]
        if tag in known or f"W/{tag}" in known or known == ["*"]:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=media_type, headers=headers)

    return answer
