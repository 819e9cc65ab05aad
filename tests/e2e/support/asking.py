"""Asking a gateway as somebody: with a key, with a token, or as its operator."""

from __future__ import annotations

from collections.abc import Mapping

import httpx2
import msgspec

from tests.support.gateway import LOCAL, GatewayProcess

ADMIN_TOKEN = "canary-token"
ADMIN: Mapping[str, str] = {"authorization": f"Bearer {ADMIN_TOKEN}"}
NOBODY: Mapping[str, str] = {}


def bearer(key: str) -> dict[str, str]:
    """Return the headers of whoever has `key`."""
    return {"authorization": f"Bearer {key}"}


def send(
    gateway: GatewayProcess, method: str, path: str, headers: Mapping[str, str] = NOBODY, body: object = None
) -> httpx2.Response:  # fmt: skip
    """Send one request, with a body unless that is None; bytes go out as they are."""
    content = body if isinstance(body, bytes) else None if body is None else msgspec.json.encode(body)
    kind = {} if content is None else {"content-type": "application/json"}
    return httpx2.request(method, f"{gateway.url}{path}", headers={**kind, **headers}, content=content, **LOCAL)


def chat(
    gateway: GatewayProcess, headers: Mapping[str, str] = NOBODY, model: str = "sim/echo", **fields: object
) -> httpx2.Response:
    """Ask for a chat completion."""
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **fields}
    return send(gateway, "POST", "/v1/chat/completions", headers, body)


def admin(gateway: GatewayProcess, method: str, path: str, body: object = None) -> httpx2.Response:
    """Ask the administration."""
    return send(gateway, method, f"/admin{path}", ADMIN, body)


def code(answer: httpx2.Response) -> str:
    """Return the code of a failure, or `ok`."""
    if answer.status_code == httpx2.codes.OK:
        return "ok"
    assert b'"error"' in answer.content, f"{answer.status_code} {answer.text[:500]}"
    return str(answer.json()["error"]["code"])
