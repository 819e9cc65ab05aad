"""The small read-only routes: models, health, metrics. Ordinary FastAPI; nothing here is on the path of a call."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import msgspec
from fastapi import APIRouter, Request, Response

from app.api.errors import error_response
from app.api.inbound import headers_of, request_id_of
from app.core.catalog import Listed
from app.core.configuration import Configurations
from app.core.errors import GatewayError
from app.core.gateway import CurrentGateway
from app.core.lifecycle import Lifecycle

_UNREADY: Mapping[int | str, dict[str, Any]] = MappingProxyType(
    {503: {"description": "It is being stopped, or misconfigured."}}
)
Exposition: TypeAlias = Callable[[str], Awaitable[tuple[str, bytes]]]  # accept header -> content type and body


def models_router(gateways: CurrentGateway, started_wall: float) -> APIRouter:
    """Return `GET /v1/models` and `/v1/models/{id}`; `started_wall` is the creation time they show."""
    router = APIRouter(prefix="/v1", tags=["models"])

    def shown(listed: Listed) -> dict[str, object]:
        return {"id": listed.id, "object": "model", "created": int(started_wall), "owned_by": listed.owner}

    @router.get("/models", summary="List the models")
    async def list_models() -> Response:
        return _json({"object": "list", "data": [shown(listed) for listed in gateways.current.catalog.listed()]})

    @router.get("/models/{model_id:path}", summary="Describe one model")
    async def get_model(model_id: str, request: Request) -> Response:
        try:
            return _json(shown(gateways.current.catalog.find(model_id)))
        except GatewayError as error:
            status, headers, body = error_response(error, request_id_of(headers_of(request.scope)))
            return Response(body, status, {name.decode(): value.decode() for name, value in headers})

    return router


class Health(msgspec.Struct, frozen=True):
    """What health depends on."""

    version: str
    gateways: CurrentGateway
    lifecycle: Lifecycle
    configurations: Configurations

    def readiness(self) -> tuple[int, dict[str, object]]:
        """
        Return status and body of `/readyz`.

        A bad file on disk does not make a replica unready, as the one before is in use: else one typing error would
        take them all out of service. It is shown, though.
        """
        gateway = self.gateways.current
        told: dict[str, object] = {"status": "ready", "version": self.version, "config": gateway.digest}
        if self.configurations.flaws:
            told["rejected"] = len(self.configurations.flaws)
        if self.lifecycle.draining:
            return 503, {**told, "status": "draining"}
        if not gateway.catalog.providers:
            return 503, {**told, "status": "misconfigured", "reason": "no provider is configured"}
        return 200, told


def operations_router(health: Health, exposition: Exposition | None) -> APIRouter:
    """Return the health routes and `GET /metrics` (absent without an `exposition`)."""
    router = APIRouter(tags=["operations"])

    @router.get("/livez", summary="Is the process alive?")
    async def livez() -> Response:
        return _json({"status": "alive", "version": health.version})

    @router.get("/readyz", summary="Can it serve calls?", responses={**_UNREADY})
    @router.get("/health", summary="The same as /readyz", responses={**_UNREADY})
    async def readyz() -> Response:
        status, told = health.readiness()
        headers = {"x-wizard-config": health.gateways.current.digest, "cache-control": "no-store"}
        return Response(msgspec.json.encode(told), status, headers, "application/json")

    if exposition is not None:

        @router.get("/metrics", summary="Prometheus metrics")
        async def metrics(request: Request) -> Response:
            media_type, body = await exposition(request.headers.get("accept", ""))
            return Response(body, headers={"content-type": media_type})

    return router


def _json(content: object) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")
