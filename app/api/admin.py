"""
The administration: its own token, and the circuits. Ordinary FastAPI; nothing here is on the path of a call.

Without a configured token there is no administration, and every address under /admin answers as one that is not there.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import TypeAlias

import msgspec
from fastapi import APIRouter, Depends, Request, Response

from app.core.circuits import CircuitView, Force
from app.core.errors import NOT_FOUND, UNAUTHORIZED, GatewayError
from app.core.gateway import CurrentGateway, Gateway

Json: TypeAlias = dict[str, object]

_BEARER = "bearer "


def admin_router(gateways: CurrentGateway) -> APIRouter:
    """Return the routes under /admin; each asks for the token of the newest configuration."""

    def authenticate(request: Request) -> None:
        _authenticate(request, gateways.current)

    router = APIRouter(prefix="/admin", tags=["admin"], dependencies=[Depends(authenticate)])

    @router.get("/circuits", summary="List the circuits of all targets")
    async def list_circuits() -> Response:
        admin = gateways.current.admin
        return _json({"circuits": [_shown(view) for view in await admin.circuits.views(admin.circuit_breaker)]})

    @router.post("/circuits/{target:path}/open", summary="Open a circuit until it is closed or reset")
    async def open_circuit(target: str) -> Response:
        return await _force(gateways.current, target, "open")

    @router.post("/circuits/{target:path}/close", summary="Close a circuit")
    async def close_circuit(target: str) -> Response:
        return await _force(gateways.current, target, "close")

    @router.post("/circuits/{target:path}/reset", summary="Close a circuit and forget its history")
    async def reset_circuit(target: str) -> Response:
        return await _force(gateways.current, target, "reset")

    return router


def _authenticate(request: Request, gateway: Gateway) -> None:
    wanted = gateway.admin.token_sha256
    if wanted is None:
        raise GatewayError(NOT_FOUND, f"There is nothing at {request.url.path[:200]!r}.")
    given = request.headers.get("authorization", "")
    token = given[len(_BEARER) :].strip() if given[: len(_BEARER)].lower() == _BEARER else ""
    # digests are of one length, so that the comparison tells neither the length of the token nor a part of it
    if not hmac.compare_digest(hashlib.sha256(token.encode("latin-1", "replace")).digest(), wanted):
        raise GatewayError(
            UNAUTHORIZED,
            "The administration needs its token.",
            suggestion="Send 'authorization: Bearer TOKEN' with the value of 'admin.token'.",
        )


async def _force(gateway: Gateway, name: str, action: Force) -> Response:
    admin = gateway.admin
    return _json(_shown(await admin.circuits.force(gateway.catalog.target(name), action, admin.circuit_breaker)))


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
