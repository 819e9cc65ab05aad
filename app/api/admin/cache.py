"""Admin routes for the answer cache: show its state, delete stored answers."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Request, Response

from app.api.admin.gate import admitted
from app.api.json_routes import json_answer
from app.api.openapi.parts import Json
from app.core.caching.ports import CacheView, Tally
from app.core.caching.stored import Selection
from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.gateway import CurrentGateway

_CONDITIONS = frozenset({"model", "prefix", "key", "expired"})


def cache_router(gateways: CurrentGateway) -> APIRouter:
    """Return the routes for the cache."""
    router = APIRouter()

    @router.get("/cache", summary="Show how full the cache is, and how well it does")
    async def show(request: Request) -> Response:
        desk = admitted(request, gateways.current).cache
        return json_answer({"enabled": False} if desk is None else _shown(await desk.view()))

    @router.delete(
        "/cache", summary="Forget stored answers: all, or those of a model, with a prefix, a key, or expired"
    )
    async def forget(request: Request) -> Response:
        desk = admitted(request, gateways.current).cache
        selection = _selection(request)
        return json_answer({"removed": 0 if desk is None else await desk.remove(selection)})

    return router


def _selection(request: Request) -> Selection:
    conditions = dict(request.query_params)
    unknown = conditions.keys() - _CONDITIONS  # a misspelled condition must not delete everything
    if unknown:
        name = min(unknown)
        message = f"There is no condition {name[:100]!r}; there are model, prefix, key and expired."
        raise GatewayError(INVALID_REQUEST, message, param=name[:100])
    empty = [name for name, value in conditions.items() if not value]
    if empty:
        raise GatewayError(INVALID_REQUEST, f"The condition {empty[0]!r} is empty.", param=empty[0])
    for name in conditions:
        if len(request.query_params.getlist(name)) > 1:
            raise GatewayError(
                INVALID_REQUEST, f"The condition {name!r} is there twice; ask once for each.", param=name
            )
    expired = conditions.get("expired")
    if expired is not None and expired.lower() != "true":  # nor must 'false'
        message = "'expired' must be 'true'; leave it out to forget answers that have not expired as well."
        raise GatewayError(INVALID_REQUEST, message, param="expired")
    return Selection(conditions.get("model"), conditions.get("prefix"), conditions.get("key"), expired is not None)


def _shown(view: CacheView) -> Json:
    shelf, shared = view.shelf, view.shared
    shown: Json = {
        "enabled": True,
        "store": view.store,
        **_counted(view.tally),
        "evictions": shelf.evicted,
        "entries": shelf.entries,
        "bytes": shelf.bytes,
        "capacity": shelf.entries_max,
        "capacity_bytes": shelf.bytes_max,
        "age_s": None if view.oldest_s is None else round(view.oldest_s, 3),
    }
    if shared is not None:
        counts = {"entries": shared.entries, "bytes": shared.bytes, "partial": shared.partial}
        shown["shared"] = {**counts, **_counted(shared.tally)}
    return shown


def _counted(tally: Tally) -> Json:
    lookups = tally.hits + tally.misses + tally.coalesced
    return {**msgspec.structs.asdict(tally), "hit_ratio": round(tally.hits / lookups, 4) if lookups else 0.0}
