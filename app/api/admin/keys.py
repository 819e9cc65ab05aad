"""Admin routes for virtual keys: create, list, rotate, revoke. A secret is shown once, when it is created."""

from __future__ import annotations

from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated, Final, Literal, TypeAlias

import msgspec
from fastapi import APIRouter, Request, Response

from app.api.admin.gate import admitted
from app.api.asgi import read_body
from app.api.inbound import headers_of
from app.api.json_routes import json_answer, takes
from app.api.openapi.parts import Json
from app.core.bodies import decode_as
from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.gateway import CurrentGateway
from app.core.keys.manager import OVERLAP_S, Issued, KeyManager, KeySpec, Listing
from app.core.money import Budget, Period, nano, usd
from app.core.parameters import ROLES, Role
from app.core.rules import RESERVE_TOKENS, LimitSpec, Rule, Scope, rules_of, spec_of
from app.core.traffic.admission import Priority

_BODY_MAX_BYTES: Final = 65_536
_PRIORITIES: Final = MappingProxyType({priority.word: priority for priority in Priority})
_Word: TypeAlias = Annotated[str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[^\s\x00-\x1f\x7f]+\Z")]
_Amount: TypeAlias = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000)]
_Words: TypeAlias = Annotated[tuple[_Word, ...], msgspec.Meta(max_length=64)]


class _Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The budget of a key, as in the configuration."""

    usd: Annotated[float, msgspec.Meta(gt=0, le=1_000_000_000)]
    per: Period = "month"
    window_s: Annotated[float, msgspec.Meta(gt=0, le=31_536_000)] | None = None
    hard: bool = True
    warn: tuple[Annotated[float, msgspec.Meta(ge=0, le=1)], ...] = (0.5, 0.8, 1.0)

    def rule(self) -> Budget:
        """Return the budget as a rule without a name."""
        return Budget("", nano(self.usd), ("key",), self.per, self.window_s, self.hard, self.warn)


class _Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A limit of a key, as in the configuration."""

    name: _Word = "key"
    requests: _Amount | None = None
    tokens: _Amount | None = None
    concurrency: _Amount | None = None
    window_s: Annotated[float, msgspec.Meta(ge=1, le=2_678_400)] = 60.0
    burst: _Amount | None = None
    models: _Words = ()
    shadow: bool = False
    lease: Annotated[int, msgspec.Meta(ge=0, le=1_000_000_000)] = 0
    reserve: _Amount = RESERVE_TOKENS


class _NewKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body that creates a key; `expires_at` is a point in time, as ISO 8601 text or in seconds since 1970."""

    name: _Word | None = None
    team: _Word | None = None
    user: _Word | None = None
    tags: _Words = ()
    models: _Words | None = None
    roles: Annotated[tuple[Role, ...], msgspec.Meta(max_length=len(ROLES))] | None = None
    expires_at: str | float | None = None
    expires_in_s: Annotated[float, msgspec.Meta(gt=0, le=3_153_600_000)] | None = None
    priority: Literal["high", "normal", "low"] | None = None
    hash: str | None = None
    limits: Annotated[tuple[_Limit, ...], msgspec.Meta(max_length=32)] = ()
    budget: _Budget | None = None


class _Rotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    overlap_s: Annotated[float, msgspec.Meta(ge=0, le=31_536_000)] = OVERLAP_S


_MAKES: Final = takes(_NewKey, {"name": "team-a", "models": ["fast", "openai/*"], "budget": {"usd": 100}})
_ROTATES: Final = takes(_Rotation, {"overlap_s": 3600})
_ROTATION: Final = "Give a virtual key a fresh secret; the old one stays for a while"


def keys_router(gateways: CurrentGateway) -> APIRouter:
    """Return the routes of the keys."""
    router = APIRouter()

    @router.get("/keys", summary="List the virtual keys, without their secrets")
    async def list_keys(request: Request) -> Response:
        manager = admitted(request, gateways.current).keys
        return json_answer({"keys": [_shown(listing) for listing in manager.listing()]})

    @router.post("/keys", summary="Make a virtual key; the answer is the only one that shows it", openapi_extra=_MAKES)
    async def new_key(request: Request) -> Response:
        manager = admitted(request, gateways.current).keys
        body = decode_as(_NewKey, await _body(request) or b"{}")
        return json_answer(_issued(manager, await manager.issue(_spec(body))))

    @router.delete("/keys/{key_id}", summary="Revoke a virtual key, on every replica within a second")
    async def revoke_key(request: Request, key_id: str) -> Response:
        manager = admitted(request, gateways.current).keys
        return json_answer(_shown(await manager.revoke(key_id)))

    @router.post("/keys/{key_id}/rotate", summary=_ROTATION, openapi_extra=_ROTATES)
    async def rotate_key(request: Request, key_id: str) -> Response:
        manager = admitted(request, gateways.current).keys
        body = decode_as(_Rotation, await _body(request) or b"{}")
        return json_answer(_issued(manager, await manager.rotate(key_id, body.overlap_s)))

    return router


async def _body(request: Request) -> bytes:
    return (await read_body(request.receive, headers_of(request.scope), _BODY_MAX_BYTES)).strip()


def _spec(body: _NewKey) -> KeySpec:
    if body.expires_at is not None and body.expires_in_s is not None:
        message = "Send 'expires_at' or 'expires_in_s', not both."
        raise GatewayError(INVALID_REQUEST, message, param="expires_at")
    return KeySpec(
        name=body.name,
        team=body.team,
        user=body.user,
        tags=body.tags,
        models=body.models,
        roles=body.roles,
        expires=_seconds(body.expires_at) if isinstance(body.expires_at, str) else body.expires_at,
        expires_in_s=body.expires_in_s,
        priority=None if body.priority is None else _PRIORITIES[body.priority],
        hash=body.hash,
        limits=tuple(rule for limit in body.limits for rule in _rules(limit)),
        budget=None if body.budget is None else body.budget.rule(),
    )


def _seconds(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        message = "'expires_at' must be a time such as 2027-01-31T12:00:00Z, or seconds since 1970."
        raise GatewayError(INVALID_REQUEST, message, param="expires_at") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _issued(manager: KeyManager, issued: Issued) -> Json:
    return {**_shown(manager.shown(issued.key)), "key": issued.secret, "hash": str(issued.key.hash)}


def _shown(listing: Listing) -> Json:
    key = listing.key
    return {
        "id": key.id,
        "name": key.name,
        "status": listing.status,
        "source": listing.source,
        "team": key.team,
        "user": key.user,
        "tags": key.tags,
        "models": key.models,
        "roles": key.roles,
        "priority": None if key.priority is None else key.priority.word,
        "limits": [spec_of(rule) for rule in key.limits],
        "budget": None if not key.budgets else _budget(key.budgets[0]),
        "created_at": int(key.created) or None,
        "expires_at": _whole(key.expires),
        "revoked_at": _whole(key.revoked),
        "previous_valid_until": _whole(key.previous_until),
    }


def _rules(limit: _Limit) -> tuple[Rule, ...]:
    rules = rules_of(msgspec.convert(limit, LimitSpec, from_attributes=True), (Scope.KEY,))
    if not rules:
        message = "A limit needs one of 'requests', 'tokens' and 'concurrency'."
        raise GatewayError(INVALID_REQUEST, message, param="limits")
    if limit.requests and limit.tokens and (limit.burst or limit.lease):
        message = "Requests and tokens need a 'burst' and a 'lease' each of their own: send two limits."
        raise GatewayError(INVALID_REQUEST, message, param="limits")
    return rules


def _budget(budget: Budget) -> Json:
    return {
        "usd": usd(budget.limit_nusd),
        "per": budget.period,
        "window_s": budget.window_s,
        "hard": budget.hard,
        "warn": budget.warn,
    }


def _whole(seconds: float | None) -> int | None:
    return None if seconds is None else int(seconds)
