"""
The web pages: `GET /` to try a model and watch the gateway, `GET /docs` for the API reference.

Neither loads anything from another host: `fastapi-offline` ships the files of Swagger UI.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable
from importlib.resources import files
from types import MappingProxyType
from typing import Final

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

from app.api.errors import nothing_at

_INLINE: Final = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)
_HEADERS: Final = MappingProxyType(
    {
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
    }
)
_SWAGGER_UI: Final = MappingProxyType({"swagger-ui.css": "text/css", "swagger-ui-bundle.js": "text/javascript"})


def page_router() -> APIRouter:
    """Return the routes of the pages; their content security policy allows no other scripts."""
    router = APIRouter(tags=["operations"])
    router.get("/", summary="Try a model, and watch the gateway", response_class=HTMLResponse)(_page("index.html"))
    router.get("/docs", include_in_schema=False)(_page("docs.html", "'self'"))

    @router.get("/docs/{name}", include_in_schema=False)
    def swagger_ui(name: str) -> Response:
        if name not in _SWAGGER_UI:
            raise nothing_at(f"/docs/{name}")
        content = files("fastapi_offline").joinpath("static", name).read_bytes()
        return Response(content, media_type=_SWAGGER_UI[name], headers={**_HEADERS, "cache-control": "max-age=3600"})

    return router


def _page(name: str, *own: str) -> Callable[[], Awaitable[Response]]:
    text = files(__package__).joinpath(name).read_text(encoding="utf-8")
    headers = {**_HEADERS, "content-security-policy": _policy(text, own)}

    async def page() -> Response:
        return Response(text, media_type="text/html; charset=utf-8", headers=headers)

    return page


def _policy(text: str, own: tuple[str, ...]) -> str:
    """Return a CSP that allows inline code of `text` by its hash, and scripts, styles and images from `own`."""
    allowed = {"script": [*own], "style": [*own], "img": ["data:", *own]}
    for kind, body in _INLINE.findall(text):
        allowed[kind].append(f"'sha256-{base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}'")
    rules = "".join(f" {kind}-src {' '.join(places)};" for kind, places in allowed.items())
    return f"default-src 'none';{rules} connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
