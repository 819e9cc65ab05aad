"""`GET /`: one page to try a model and to watch the gateway, without anything from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import re
from importlib.resources import files
from typing import Final

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

_INLINE: Final = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


def page_router() -> APIRouter:
    """Return the route of the page, which may load nothing, and do nothing but what is written in it."""
    text = files(__package__).joinpath("index.html").read_text(encoding="utf-8")
    headers = {
        "content-security-policy": _policy(text),
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cache-control": "no-cache",
    }
    router = APIRouter(tags=["operations"])

    @router.get("/", summary="Try a model, and watch the gateway", response_class=HTMLResponse)
    async def page() -> Response:
        return Response(text, media_type="text/html; charset=utf-8", headers=headers)

    return router


def _policy(text: str) -> str:
    hashes = {
        kind: base64.b64encode(hashlib.sha256(body.encode()).digest()).decode() for kind, body in _INLINE.findall(text)
    }
    return (
        f"default-src 'none'; script-src 'sha256-{hashes['script']}'; style-src 'sha256-{hashes['style']}';"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
