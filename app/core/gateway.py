"""Immutable data of the API, built from one version of the configuration: what it needs to serve calls and admins."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from app.core.accounts import Budgets
from app.core.caching.ports import CacheDesk
from app.core.call import Call
from app.core.catalogue import Models, no_models
from app.core.circuits import CircuitPolicy
from app.core.clock import Clock
from app.core.configuration import Shown
from app.core.disconnects import DisconnectOptions
from app.core.explain.port import Explainer
from app.core.health import ProviderHealth
from app.core.identity import Identities
from app.core.insight import Insight
from app.core.keys.manager import KeyManager
from app.core.loop_detection import Loop
from app.core.money import Budget
from app.core.pipeline import Handler
from app.core.ports import Circuits, Limits
from app.core.routing.table import RoutingTable
from app.core.rules import Rule
from app.core.session_manager import SessionManager
from app.core.spending.ledger import UsageReader


class EdgeOptions(msgspec.Struct, frozen=True):
    """
    The limits and options of the API.

    `body_max_bytes` limits a body that is buffered, `upload_max_bytes` one that is forwarded while it arrives; large
    forms are forwarded so if `hands_forms_on`, which is off when a feature has to read them first. A stream without
    events for `keep_alive_s` gets a comment; `overflow` is what happens when a client falls behind its provider by more
    than `buffer_bytes`. Without `leaving` a call ends when its client disconnects. `loop` detects requests that the
    gateway sent to itself. Without `caches` requests with `only-if-cached` are refused. `moderation_model` is the
    default model of moderations, if any.
    """

    body_max_bytes: int
    total_s: float
    keep_alive_s: float
    overflow: Literal["block", "drop_oldest", "error"] = "block"
    buffer_bytes: int = 65_536
    upload_max_bytes: int = 10_485_760
    hands_forms_on: bool = False
    leaving: DisconnectOptions | None = None
    loop: Loop = Loop("")
    caches: bool = True
    moderation_model: str | None = None


class Spending(msgspec.Struct, frozen=True):
    """What the admin API needs for spending: the gateway's budgets, their levels, and recorded usage."""

    rules: tuple[Budget, ...]
    budgets: Budgets
    usage: UsageReader
    clock: Clock


class Limiting(msgspec.Struct, frozen=True):
    """What the admin API needs for rate limits: the gateway's rules, and the levels of their buckets."""

    rules: tuple[Rule, ...]
    limits: Limits


class AdminOptions(msgspec.Struct, frozen=True):
    """What the admin API needs: the SHA-256 of its token, and the collaborators of each topic."""

    token_sha256: bytes
    circuits: Circuits
    circuit_breaker: CircuitPolicy
    spending: Spending
    limiting: Limiting
    shown: Shown
    keys: KeyManager
    sessions: SessionManager
    cache: CacheDesk | None = None
    insight: Insight | None = None
    health: ProviderHealth = msgspec.field(default_factory=ProviderHealth)


class Passing(msgspec.Struct, frozen=True):
    """
    Passthrough, which forwards requests unparsed: its pipeline, and the providers for each kind of request.

    `raw` are the providers that accept any request; `files` and `batches` those that store them, in the order of the
    configuration; `keeps` is whether files and batches are enabled. `file_max_bytes` limits a file.
    """

    handler: Handler[Call]
    raw: tuple[str, ...]
    files: tuple[str, ...]
    batches: tuple[str, ...]
    keeps: bool
    file_max_bytes: int


class Gateway(msgspec.Struct, frozen=True):
    """
    The composed pipeline with the models it can reach.

    `digest` identifies the configuration that it was built from; `identities` authenticates callers; `explainers`
    predict what `handler` would do. Without `admin` there is no admin API, without `passing` no passthrough.
    """

    handler: Handler[Call]
    routing: RoutingTable
    edge: EdgeOptions
    digest: str
    identities: Identities
    sessions: SessionManager
    models: Models = msgspec.field(default_factory=no_models)
    admin: AdminOptions | None = None
    explainers: tuple[Explainer, ...] = ()
    passing: Passing | None = None


class CurrentGateway(Protocol):
    """Holds the gateway that new calls use. A call reads it once, so a reload does not affect calls in flight."""

    @property
    def current(self) -> Gateway:
        """Return the gateway built from the newest valid configuration."""
