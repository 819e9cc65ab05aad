"""Admin routes for the request log of finished calls."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec
from fastapi import APIRouter, Request, Response

from app.api.admin.gate import admitted
from app.api.json_routes import json_answer, query
from app.api.openapi.parts import Json
from app.core.errors import INVALID_REQUEST, NOT_FOUND, GatewayError
from app.core.gateway import AdminOptions, CurrentGateway
from app.core.request_log import RequestEntry, RequestLog, RequestQuery

LIMIT_MAX: Final = 1000
_ADVICE: Final = "No request log is kept: set request_log.enabled, and start the gateway anew."
_PARAMETERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "limit": f"How many, 1 to {LIMIT_MAX}; 50 if it is left out.",
        "since": "Seconds since 1970: the first moment in which one may have ended.",
        "before": "Seconds since 1970: one must have ended before that; `next` of the page before.",
        "min_duration_ms": "Leaves out what was quicker.",
        "id": "The request id.",
        "endpoint": "chat, generate, messages ...",
        "model": "What the client asked for.",
        "provider": "Who answered, or failed last.",
        "target_model": "The model there.",
        "outcome": "completed, failed, abandoned or refused.",
        "status": "The HTTP status.",
        "code": "The code of the error.",
        "kind": "The kind of the error.",
        "key": "On behalf of which key.",
        "team": "On behalf of which team.",
        "user": "On behalf of which user.",
        "session": "In which session.",
        "cache": "hit, miss, bypass or coalesced.",
        "trace_id": "In which trace.",
        "steps": "true: with the story of each.",
    }
)


def requests_router(gateways: CurrentGateway) -> APIRouter:
    """Return the routes of the request log."""
    router = APIRouter()

    @router.get("/requests", summary="List the last calls, the newest first", openapi_extra=query(_PARAMETERS))
    async def list_requests(request: Request) -> Response:
        log = _log(admitted(request, gateways.current))
        filters = dict(request.query_params)
        with_steps = filters.pop("steps", "false").lower() == "true"
        query = _query(filters)
        if log is None:
            return json_answer({"requests": [], "next": None, "enabled": False, "suggestion": _ADVICE})
        entries = await log.find(query)
        next_before = entries[-1].at if len(entries) == query.limit else None
        shown = [_shown(entry, with_steps=with_steps) for entry in entries]
        return json_answer({"requests": shown, "next": next_before, "enabled": True})

    @router.get("/requests/{request_id}", summary="Tell the story of one call")
    async def one_request(request: Request, request_id: str) -> Response:
        log = _log(admitted(request, gateways.current))
        if log is None:
            raise GatewayError(NOT_FOUND, "No request log is kept.", suggestion=_ADVICE)
        entries = await log.find(RequestQuery(id=request_id))
        if not entries:
            raise GatewayError(NOT_FOUND, f"The request log does not know {request_id[:128]!r}.")
        return json_answer({"requests": [_shown(entry, with_steps=True) for entry in entries]})

    return router


def _log(admin: AdminOptions) -> RequestLog | None:
    return None if admin.insight is None else admin.insight.requests


def _query(filters: Mapping[str, str]) -> RequestQuery:
    unknown = next((name for name in filters if name not in RequestQuery.__struct_fields__), None)
    if unknown is not None:
        raise GatewayError(INVALID_REQUEST, f"There is no filter {unknown[:64]!r}.", param=unknown[:64])
    try:
        query = msgspec.convert(filters, RequestQuery, strict=False)
    except msgspec.ValidationError as error:
        name = str(error).rpartition("$.")[2].rstrip("`")
        raise GatewayError(INVALID_REQUEST, f"The filter {name!r} must be a number.", param=name) from error
    if not 1 <= query.limit <= LIMIT_MAX:
        raise GatewayError(INVALID_REQUEST, f"'limit' must be from 1 to {LIMIT_MAX}.", param="limit")
    return query


def _shown(entry: RequestEntry, *, with_steps: bool) -> Json:
    shown: Json = msgspec.to_builtins(entry)
    shown.pop("steps", None)
    return {**shown, "steps": [step.shown() for step in entry.steps]} if with_steps else shown
