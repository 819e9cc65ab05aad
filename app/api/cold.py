"""The small read-only routes: models, health, metrics. Ordinary FastAPI; nothing here is on the path of a call."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import msgspec
from fastapi import APIRouter, Request, Response

from app.api.inbound import credential_of, headers_of, request_id_of
from app.core.allow_list import AllowList
from app.core.catalog import Listed
from app.core.errors import FORBIDDEN, GatewayError
from app.core.gateway import CurrentGateway

Exposition: TypeAlias = Callable[[str], tuple[str, bytes]]  # accept header -> content type and body


def models_router(gateways: CurrentGateway, started_wall: float) -> APIRouter:
    """Return `GET /v1/models` and `/v1/models/{id}`; `started_wall` is the creation time they show."""
    router = APIRouter(prefix="/v1", tags=["models"])

    def shown(listed: Listed) -> dict[str, object]:
        return {"id": listed.id, "object": "model", "created": int(started_wall), "owned_by": listed.owner}

    async def allowed(request: Request) -> AllowList:
        headers = headers_of(request.scope)
        caller = await gateways.current.identities.identify(credential_of(headers), request_id_of(headers))
        return AllowList(("*",) if caller.models is None else caller.models)

    @router.get("/models", summary="List the models that the caller's key may use")
    async def list_models(request: Request) -> Response:
        mine = await allowed(request)
        listed = [shown(each) for each in gateways.current.catalog.listed() if mine.allows(each.id)]
        return _json({"object": "list", "data": listed})

    @router.get("/models/{model_id:path}", summary="Describe one model")
    async def get_model(model_id: str, request: Request) -> Response:
        mine, catalog = await allowed(request), gateways.current.catalog
        if not mine.allows(catalog.canonical(model_id)):
            raise GatewayError(FORBIDDEN, f"This key may not use the model {model_id[:100]!r}.", param="model")
        return _json(shown(catalog.find(model_id)))

    return router


def operations_router(gateways: CurrentGateway, version: str, exposition: Exposition | None) -> APIRouter:
    """Return the health routes and `GET /metrics` (absent without an `exposition`)."""
    router = APIRouter(tags=["operations"])

    @router.get("/livez", summary="Is the process alive?")
    async def livez() -> Response:
        return _json({"status": "alive", "version": version})

    @router.get("/readyz", summary="Can it serve calls?")
    @router.get("/health", summary="The same as /readyz")
    async def readyz() -> Response:
        return _json({"status": "ready", "version": version, "config": gateways.current.digest})

    if exposition is not None:

        @router.get("/metrics", summary="Prometheus metrics")
        def metrics(request: Request) -> Response:  # not async: rendering takes milliseconds, so it runs in a thread
            media_type, body = exposition(request.headers.get("accept", ""))
            return Response(body, headers={"content-type": media_type})

    return router


def _json(content: object) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")
