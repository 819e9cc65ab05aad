"""
The administration: its own token, and the circuits. Ordinary FastAPI; nothing here is on the path of a call.

Without a configured token there is no administration, and every address under /admin answers as one that is not there.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TypeAlias

import msgspec
from fastapi import APIRouter, Request, Response

from app.core.circuits import CircuitView, Force
from app.core.errors import NOT_FOUND, UNAUTHORIZED, GatewayError
from app.core.gateway import AdminOptions, CurrentGateway, Gateway

Json: TypeAlias = dict[str, object]

_BEARER = "bearer "


def admin_router(gateways: CurrentGateway) -> APIRouter:
    """Return the routes under /admin; each asks for the token of the newest configuration."""
    router = APIRouter(prefix="/admin", tags=["admin"])

    async def force(request: Request, name: str, action: Force) -> Response:
        gateway = gateways.current
        admin = _admitted(request, gateway)
        target = gateway.catalog.target(name)
        return _json(_shown(await admin.circuits.force(target, action, admin.circuit_breaker)))

    @router.get("/circuits", summary="List the circuits of all targets")
    async def list_circuits(request: Request) -> Response:
        admin = _admitted(request, gateways.current)
        return _json({"circuits": [_shown(view) for view in await admin.circuits.views(admin.circuit_breaker)]})

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


def _admitted(request: Request, gateway: Gateway) -> AdminOptions:
    """Return what the administration works with, to those who have the token."""
    admin = gateway.admin
    if admin is None:
        raise GatewayError(NOT_FOUND, f"There is nothing at {request.url.path[:200]!r}.")
    given = request.headers.get("authorization", "")
    token = given[len(_BEARER) :].strip() if given[: len(_BEARER)].lower() == _BEARER else ""
    # digests are of one length, so that the comparison tells neither the length of the token nor a part of it
    if not hmac.compare_digest(hashlib.sha256(token.encode("latin-1", "replace")).digest(), admin.token_sha256):
        raise GatewayError(
            UNAUTHORIZED,
            "The administration needs its token.",
            suggestion="Send 'authorization: Bearer TOKEN' with the value of 'admin.token'.",
        )
    return admin


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


def _json(content: Json) -> Response:
    return Response(msgspec.json.encode(content), media_type="application/json", headers={"cache-control": "no-store"})
