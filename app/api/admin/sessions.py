"""Admin routes for the sessions of all callers: list, read, delete. Only reading one shows its messages."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from app.api.admin.gate import admitted
from app.api.json_routes import json_answer
from app.api.sessions import checked_limit, outline, whole
from app.core.gateway import CurrentGateway


def sessions_router(gateways: CurrentGateway) -> APIRouter:
    """Return the routes of the sessions."""
    router = APIRouter()

    @router.get("/sessions", summary="List the sessions of all keys, those used last first")
    async def list_sessions(request: Request, limit: str = "100", owner: str | None = None) -> Response:
        sessions = admitted(request, gateways.current).sessions
        heads = await sessions.store.listing(owner, checked_limit(limit))
        return json_answer({"sessions": [{"owner": head.tenant, **outline(head)} for head in heads]})

    @router.get("/sessions/{session_id}", summary="Show a session with its messages")
    async def read(request: Request, session_id: str) -> Response:
        sessions = admitted(request, gateways.current).sessions
        session = await sessions.store.load(await sessions.owner(session_id), session_id)
        return json_answer({"owner": session.head.tenant, **whole(session)})

    @router.delete("/sessions/{session_id}", summary="End a session and forget its messages")
    async def end(request: Request, session_id: str) -> Response:
        sessions = admitted(request, gateways.current).sessions
        await sessions.store.delete(await sessions.owner(session_id), session_id)
        return json_answer({"id": session_id, "deleted": True})

    return router
