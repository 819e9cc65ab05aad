"""Admin route that lists the rate limits and the levels of their buckets."""

from __future__ import annotations

from collections.abc import Iterable

from fastapi import APIRouter, Request, Response

from app.api.admin.gate import admitted
from app.api.json_routes import json_answer
from app.api.openapi.parts import Json
from app.core.gateway import CurrentGateway
from app.core.gcra import US_PER_S
from app.core.limits.rulebook import owner_of
from app.core.rules import Rule, Scope, Standing


def limits_router(gateways: CurrentGateway) -> APIRouter:
    """Return the routes of the rate limits."""
    router = APIRouter()

    @router.get("/limits", summary="List the rate limits and their levels")
    async def list_limits(request: Request) -> Response:
        admin = admitted(request, gateways.current)
        levels: dict[Rule, list[Standing]] = {rule: [] for rule in admin.limiting.rules}
        configured = {(rule.name, rule.measure): rule for rule in admin.limiting.rules}
        for standing in await admin.limiting.limits.levels():
            rule = standing.claim.rule  # a process's share of the configured one, if they cannot share state
            levels.setdefault(configured.get((rule.name, rule.measure), rule), []).append(standing)
        return json_answer({"limits": [_shown(rule, standings) for rule, standings in levels.items()]})

    return router


def _shown(rule: Rule, standings: Iterable[Standing]) -> Json:
    rate = rule.rate
    numbers: Json = {rule.measure.value: rule.most}
    if rate is not None:
        numbers = {rule.measure.value: rate.amount, "window_s": rate.window_us / US_PER_S, "burst": rate.burst}
    return {
        "name": rule.name,
        "per": [scope.value for scope in rule.per],
        "measure": rule.measure.value,
        **numbers,
        "models": list(rule.models),
        "shadow": rule.shadow,
        "levels": [_level(standing) for standing in standings],
    }


def _level(standing: Standing) -> Json:
    rule = standing.claim.rule
    names = [name for scope in rule.per if scope is not Scope.GLOBAL for name in _fields(scope)]
    level: Json = {"of": dict(zip(names, owner_of(standing.claim), strict=True)), "remaining": standing.remaining}
    return {**level, "used": rule.most - standing.remaining, "reset_s": round(standing.reset_s, 3)}


def _fields(scope: Scope) -> tuple[str, ...]:
    return ("tenant", scope.value) if scope in {Scope.USER, Scope.SESSION} else (scope.value,)
