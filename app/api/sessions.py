"""
Session routes for callers: create, read, fork and delete. Plain FastAPI; the turns themselves are hot-path calls.

What is shown of a session can be sent back to create another from it.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import msgspec
from fastapi import APIRouter, Request, Response

from app.api.asgi import read_body
from app.api.inbound import headers_of, require_json
from app.api.json_routes import caller_of, json_answer, takes
from app.api.openapi.parts import Json
from app.core.bodies import decode_as
from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.gateway import CurrentGateway, Gateway
from app.core.session_manager import Branch, SessionSpec
from app.core.sessions import Head, Session

LISTED_MAX: Final = 100
_LISTED = "20"
_Name: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
_Count: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class _Shown(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The fields of a session that the gateway sets; accepted in a request body, and ignored."""

    id: str = ""
    object: str = ""
    created_at: int = 0
    expires_at: int = 0
    turns: int = 0
    message_count: int = 0
    bytes: int = 0


class _NewSession(_Shown, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The body that creates a session; `system` is short for a system message before the others."""

    model: _Name | None = None
    system: str | None = None
    messages: list[msgspec.Raw] | None = None
    metadata: dict[_Name, msgspec.Raw] | None = None
    ttl_s: Annotated[float, msgspec.Meta(gt=0)] | None = None


class _Fork(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    at: _Count | None = None
    last: _Count | None = None


_BEGINS: Final = takes(_NewSession, {"system": "Be brief.", "metadata": {"ticket": 17}})
_FORKS: Final = takes(_Fork, {"at": 4})


def sessions_router(gateways: CurrentGateway) -> APIRouter:
    """Return the routes under /v1/sessions; a caller sees only the sessions of its own tenant."""
    router = APIRouter(prefix="/v1/sessions", tags=["sessions"])

    @router.post("", summary="Begin a session, also with messages of another", openapi_extra=_BEGINS)
    async def begin(request: Request) -> Response:
        gateway, tenant = await _identified(request, gateways)
        spec = _spec(await _body(request, gateway))
        return json_answer(whole(await gateway.sessions.begin(tenant, spec)))

    @router.get("", summary="List the sessions of the caller's key, those used last first")
    async def list_sessions(request: Request, limit: str = _LISTED) -> Response:
        gateway, tenant = await _identified(request, gateways)
        most = checked_limit(limit)
        heads = await gateway.sessions.store.listing(tenant, most + 1)
        return json_answer(
            {"object": "list", "data": [outline(head) for head in heads[:most]], "has_more": len(heads) > most}
        )

    @router.get("/{session_id}", summary="Show a session with its messages, in a form that can be imported")
    async def read(request: Request, session_id: str) -> Response:
        gateway, tenant = await _identified(request, gateways)
        return json_answer(whole(await gateway.sessions.store.load(tenant, session_id)))

    @router.post("/{session_id}/fork", summary="Begin a session with what another has so far", openapi_extra=_FORKS)
    async def fork(request: Request, session_id: str) -> Response:
        gateway, tenant = await _identified(request, gateways)
        body = decode_as(_Fork, await _body(request, gateway))
        return json_answer(whole(await gateway.sessions.fork(tenant, session_id, Branch(body.at, body.last))))

    @router.delete("/{session_id}", summary="End a session and forget its messages")
    async def end(request: Request, session_id: str) -> Response:
        gateway, tenant = await _identified(request, gateways)
        await gateway.sessions.store.delete(tenant, session_id)
        return json_answer({"id": session_id, "object": "session.deleted", "deleted": True})

    return router


def outline(head: Head) -> Json:
    """Return a session as shown in a list."""
    return {
        "id": head.id,
        "object": "session",
        "created_at": int(head.created),
        "expires_at": int(head.expires),
        "ttl_s": head.ttl_s,
        "model": head.model,
        "metadata": msgspec.Raw(head.metadata),
        "turns": head.turns,
        "message_count": head.messages,
        "bytes": head.size,
    }


def whole(session: Session) -> Json:
    """Return a session with all its messages, instructions first."""
    messages = [msgspec.Raw(message) for message in (*session.instructions, *session.messages)]
    return {**outline(session.head), "messages": messages}


def checked_limit(text: str) -> int:
    """
    Parse the `limit` of a listing.

    Raises:
        GatewayError: INVALID_REQUEST.
    """
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(LISTED_MAX)) and 1 <= int(text) <= LISTED_MAX):
        raise GatewayError(INVALID_REQUEST, f"'limit' must be a whole number from 1 to {LISTED_MAX}.", param="limit")
    return int(text)


async def _identified(request: Request, gateways: CurrentGateway) -> tuple[Gateway, str]:
    """Return the current gateway, and the caller's tenant."""
    gateway = gateways.current
    return gateway, (await caller_of(request, gateway)).tenant


async def _body(request: Request, gateway: Gateway) -> bytes:
    headers = headers_of(request.scope)
    body = (await read_body(request.receive, headers, gateway.edge.body_max_bytes)).strip()
    if not body:
        return b"{}"
    require_json(headers)
    return body


def _spec(raw: bytes) -> SessionSpec:
    body = decode_as(_NewSession, raw)
    return SessionSpec(
        messages=tuple([bytes(message) for message in body.messages or ()]),
        model=body.model,
        metadata=msgspec.json.encode(body.metadata or {}),
        ttl_s=body.ttl_s,
        system=body.system,
    )
