"""Admin route for the results of active provider health checks."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from app.api.admin.gate import admitted
from app.api.json_routes import json_answer
from app.api.openapi.parts import Json
from app.core.gateway import CurrentGateway
from app.core.health import Checked


def health_router(gateways: CurrentGateway) -> APIRouter:
    """Return the route."""
    router = APIRouter()

    @router.get("/health", summary="How the providers do whose health is asked for (of this worker)")
    async def provider_health(request: Request) -> Response:
        admin = admitted(request, gateways.current)
        now = admin.spending.clock.now()
        return json_answer({"providers": [_shown(checked, now) for checked in admin.health.views()]})

    return router


def _shown(checked: Checked, now: float) -> Json:
    return {
        "provider": checked.provider,
        "model": checked.model,
        "up": checked.up,
        "failures": checked.failures,
        "code": checked.code or None,
        "took_ms": round(checked.took_s * 1000, 3),
        "asked_s_ago": round(now - checked.at, 3),
        "in_state_s": round(now - checked.since, 3),
    }
