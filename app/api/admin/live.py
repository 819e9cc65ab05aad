"""Admin routes for live monitoring: current statistics, and a stream of events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from types import MappingProxyType
from typing import Final

from fastapi import APIRouter, Request, Response
from sse_starlette import EventSourceResponse, ServerSentEvent

from app.api.admin.gate import admitted
from app.api.json_routes import json_answer, query
from app.core.errors import NOT_FOUND, GatewayError
from app.core.gateway import AdminOptions, CurrentGateway
from app.core.insight import EventsQuery, Insight

_PING_S: Final = 15
_PARAMETERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "event": "Names of events, joined by commas; all if it is left out.",
        "request_id": "Only the events of one request.",
    }
)


def live_router(gateways: CurrentGateway) -> APIRouter:
    """Return the routes for live monitoring."""
    router = APIRouter()

    @router.get("/stats", summary="Show the figures of this moment")
    async def stats(request: Request) -> Response:
        insight = _insight(admitted(request, gateways.current))
        return json_answer({**await insight.stats(), "config_digest": gateways.current.digest})

    @router.get(
        "/events",
        summary="Watch events as they happen (server-sent events)",
        response_class=EventSourceResponse,
        openapi_extra=query(_PARAMETERS),
    )
    async def events(request: Request) -> Response:
        insight = _insight(admitted(request, gateways.current))
        names = frozenset(filter(None, request.query_params.get("event", "").split(",")))
        query = EventsQuery(names, request.query_params.get("request_id"))
        return EventSourceResponse(_sent(insight, query), ping=_PING_S, headers={"cache-control": "no-store"})

    return router


async def _sent(insight: Insight, query: EventsQuery) -> AsyncGenerator[ServerSentEvent, None]:
    async with aclosing(insight.events(query)) as events:
        yield ServerSentEvent(comment="watching")  # at once: from now on the client misses no event
        async for event in events:
            yield ServerSentEvent(event.body.decode(), event=event.name)


def _insight(admin: AdminOptions) -> Insight:
    if admin.insight is None:
        raise GatewayError(NOT_FOUND, "Nothing is watched here.")
    return admin.insight
