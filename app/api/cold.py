"""The read-only routes for models, health and metrics. Plain FastAPI: none of them is on the hot path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse

from app.api.dialects.anthropic.models import model_page, model_shown
from app.api.json_routes import caller_of, json_answer
from app.core.allow_list import AllowList
from app.core.catalogue import ModelInfo
from app.core.configuration import Configurations
from app.core.dialects.absent import given_in
from app.core.errors import FORBIDDEN, GatewayError
from app.core.gateway import CurrentGateway, Gateway
from app.core.lifecycle import Lifecycle
from app.core.routing.table import Listed

_OPEN_METRICS = "application/openmetrics-text"
_UNREADY: Mapping[int | str, dict[str, Any]] = MappingProxyType(
    {503: {"description": "It is being stopped, or misconfigured."}}
)
_METRICS: Mapping[int | str, dict[str, Any]] = MappingProxyType(
    {200: {"description": "In the format that the `accept` header asks for.", "content": {_OPEN_METRICS: {}}}}
)
_PRICES = ("input", "output", "cached", "cache_write")
Exposition: TypeAlias = Callable[[str], Awaitable[tuple[str, bytes]]]  # accept header -> content type and body


def models_router(gateways: CurrentGateway, started_wall: float) -> APIRouter:
    """Return `GET /v1/models` and `/v1/models/{id}`; `started_wall` is shown as `created`."""
    router = APIRouter(prefix="/v1", tags=["models"])

    def shown(listed: Listed) -> dict[str, object]:
        head = {"id": listed.id, "object": "model", "created": int(started_wall), "owned_by": listed.owner}
        return {**head, **model_details(listed, gateways.current)}

    async def allowed(request: Request) -> AllowList:
        gateway = gateways.current
        caller = await caller_of(request, gateway)
        return AllowList(("*",) if caller.models is None else map(gateway.routing.canonical, caller.models))

    @router.get("/models", summary="List the models that the caller's key may use")
    async def list_models(request: Request) -> Response:
        models = await allowed(request)
        listed = [each for each in gateways.current.routing.listed() if models.allows(each.id)]
        if _is_anthropic(request):
            return _json(model_page([each.id for each in listed], started_wall))
        return _json({"object": "list", "data": [shown(each) for each in listed]})

    @router.get("/models/{model_id:path}", summary="Describe one model")
    async def get_model(model_id: str, request: Request) -> Response:
        models, routing = await allowed(request), gateways.current.routing
        if not models.allows(routing.canonical(model_id)):
            raise GatewayError(FORBIDDEN, f"This key may not use the model {model_id[:100]!r}.", param="model")
        found = routing.find(model_id)
        return _json(model_shown(found.id, started_wall) if _is_anthropic(request) else shown(found))

    return router


def model_details(listed: Listed, gateway: Gateway) -> dict[str, object]:
    """Return the known facts about a model, or about the first target of a route."""
    target = gateway.routing.targets(listed.id)[0]
    info = gateway.models.find(target.provider, target.model)
    return {} if info is None else described(info)


def described(info: ModelInfo) -> dict[str, object]:
    """Return the known facts about a model; prices are in US dollars per million tokens."""
    facts: dict[str, object] = {
        "operation": info.operation,
        "context_window": info.context_window,
        "max_output_tokens": info.max_output,
        "capabilities": None if info.capabilities is None else sorted(info.capabilities),
        "deprecated": info.deprecated or None,
    }
    if info.price is not None:
        prices = msgspec.structs.asdict(info.price)
        facts["pricing"] = {name: prices[name] for name in _PRICES if prices[name] is not None}
    return given_in(facts)


class Health(msgspec.Struct, frozen=True):
    """Reports liveness and readiness."""

    version: str
    gateways: CurrentGateway
    lifecycle: Lifecycle
    configurations: Configurations

    def readiness(self) -> tuple[int, dict[str, object]]:
        """
        Return status and body of `/readyz`.

        An invalid configuration file does not make a replica unready, because the previous configuration stays in use:
        otherwise one typing error would take all replicas out of service. The body reports it.
        """
        gateway = self.gateways.current
        body: dict[str, object] = {"status": "ready", "version": self.version, "config_digest": gateway.digest}
        if self.configurations.problems:
            body["rejected"] = len(self.configurations.problems)
        if self.lifecycle.draining:
            return 503, {**body, "status": "draining"}
        if not gateway.routing.providers:
            return 503, {**body, "status": "misconfigured", "reason": "no provider is configured"}
        return 200, body


def operations_router(health: Health, exposition: Exposition | None) -> APIRouter:
    """Return the health routes and `GET /metrics` (absent without an `exposition`)."""
    router = APIRouter(tags=["operations"])

    @router.get("/livez", summary="Is the process alive?")
    async def livez() -> Response:
        return _json({"status": "alive", "version": health.version})

    @router.get("/readyz", summary="Can it serve calls?", responses={**_UNREADY})
    @router.get("/health", summary="The same as /readyz", responses={**_UNREADY})
    async def readyz() -> Response:
        status, content = health.readiness()
        return json_answer(content, status)

    if exposition is not None:

        @router.get("/metrics", summary="Prometheus metrics", response_class=PlainTextResponse, responses={**_METRICS})
        async def metrics(request: Request) -> Response:
            media_type, body = await exposition(request.headers.get("accept", ""))
            return Response(body, headers={"content-type": media_type})

    return router


def _is_anthropic(request: Request) -> bool:
    """Return whether a client of Anthropic's API asks; Claude Code discovers models so."""
    return "anthropic-version" in request.headers


def _json(content: object) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json")
