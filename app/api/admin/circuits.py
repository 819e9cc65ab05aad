"""Admin routes for circuit breakers: list those of all targets, force one."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from app.api.admin.gate import admitted
from app.api.json_routes import json_answer
from app.api.openapi.parts import Json
from app.core.circuits import CircuitView, Force
from app.core.gateway import CurrentGateway


def circuits_router(gateways: CurrentGateway) -> APIRouter:
    """Return the routes of the circuits."""
    router = APIRouter()

    async def force(request: Request, name: str, action: Force) -> Response:
        gateway = gateways.current
        admin = admitted(request, gateway)
        target = gateway.routing.target(name)
        return json_answer(_shown(await admin.circuits.force(target, action, admin.circuit_breaker)))

    @router.get("/circuits", summary="List the circuits of all targets")
    async def list_circuits(request: Request) -> Response:
        admin = admitted(request, gateways.current)
        return json_answer({"circuits": [_shown(view) for view in await admin.circuits.views(admin.circuit_breaker)]})

    @router.post("/circuits/{target:path}/open", summary="Open a circuit until it is closed or reset")
    async def open_circuit(request: Request, target: str) -> Response:
        return await force(request, target, "open")

    @router.post("/circuits/{target:path}/close", summary="Close a circuit")
    async def close_circuit(request: Request, target: str) -> Response:
        return await force(request, target, "close")

    @router.post("/circuits/{target:path}/reset", summary="Close a circuit and forget its history")
    async def reset_circuit(request: Request, target: str) -> Response:
        return await force(request, target, "reset")

    return router


def _shown(view: CircuitView) -> Json:
    provider, _, model = view.target.partition("/")
    return {
        "target": view.target,
        "provider": provider,
        "model": model,
        "state": view.state.value,
        "forced": view.forced,
        "failures": view.failures,
        "calls": view.calls,
        "failure_ratio": round(view.failures / view.calls, 4) if view.calls else 0.0,
        "in_state_s": round(view.age_s, 3),
        "probes_in_s": None if view.wait_s is None else round(view.wait_s, 3),
    }
