"""Admin routes for the configuration: show it without secrets, reload it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fastapi import APIRouter, Request, Response

from app.api.admin.gate import admitted
from app.api.errors import error_object
from app.api.inbound import headers_of, request_id_of
from app.api.json_routes import json_answer
from app.api.openapi.parts import Json
from app.core.configuration import ConfigError, Configurations
from app.core.errors import UNPROCESSABLE, GatewayError
from app.core.gateway import CurrentGateway

_FLAWED: Mapping[int | str, dict[str, Any]] = MappingProxyType(
    {422: {"description": "What is wrong; the one before stays in use."}}
)


def configuration_router(gateways: CurrentGateway, configurations: Configurations) -> APIRouter:
    """Return the routes of the configuration."""
    router = APIRouter()

    @router.get("/config", summary="Show the configuration in use, secrets hidden")
    async def show(request: Request) -> Response:
        shown = admitted(request, gateways.current).shown
        used: Json = {"digest": shown.digest, "source": shown.source}
        return json_answer({**used, "rejected": configurations.problems, "config": shown.settings})

    @router.post("/config/reload", summary="Read the configuration again, in every process", responses={**_FLAWED})
    async def reload(request: Request) -> Response:
        admitted(request, gateways.current)
        try:
            exchange = await configurations.reload()
        except ConfigError as error:
            return _refused(request, error)
        return json_answer({"before": exchange.before, "digest": exchange.now, "changes": exchange.changes})

    return router


def _refused(request: Request, error: ConfigError) -> Response:
    count = len(error.problems)
    message = f"The configuration has {count} problem{'s' if count > 1 else ''}; the one before stays in use."
    refusal = GatewayError(UNPROCESSABLE, message, suggestion="Correct what 'problems' lists, and ask again.")
    fields = error_object(refusal, request_id_of(headers_of(request.scope)), None)
    return json_answer({"error": fields, "problems": error.problems}, refusal.kind.status)
