"""One reading of the configuration, built once and never changed: what the HTTP edge needs to serve a call."""

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
    The bounds of the edge.

    A body that is held may have `body_max_bytes`, one that is handed on while it arrives `upload_max_bytes`;
    forms are handed on so unless something has to read them first (`hands_forms_on`).
    `keep_alive_s` is the silence after which a comment is sent in a stream; `overflow` is what happens when a client
    reads more slowly than its provider sends, by more than `buffer_bytes`. Without `leaving` a call ends with its
    client. `loop` knows requests that come back. Without `caches` who wants nothing but a stored answer gets none.
    `moderation_model` is asked to moderate where a request names no model; None if there is none to ask.
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
    """What the administration knows of money: the budgets for everybody with their levels, and what was used."""

    rules: tuple[Budget, ...]
    budgets: Budgets
    usage: UsageReader
    clock: Clock


class Limiting(msgspec.Struct, frozen=True):
    """What the administration knows of rate limits: the rules of the gateway, and how full the buckets are."""

    rules: tuple[Rule, ...]
    limits: Limits


class AdminOptions(msgspec.Struct, frozen=True):
    """What the administration needs: the SHA-256 of its token, and what each of its topics works with."""

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
    What is passed on as its caller wrote it: the pipeline for that, and which providers take what.

    `raw` are those that any request may be passed on to; `files` and `batches` those that keep them, in the order of
    the configuration, unless that is switched off (`keeps`). A file may have `file_max_bytes`.
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

    `digest` identifies the configuration it was built from; `identities` know who may call, `sessions` are begun and
    ended there, `models` is what is known of models, and `explainers` say what `handler` would do; without `admin`
    there is no administration, and without `passing` nothing is passed on unread.
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
    """Whoever holds the gateway that new calls use. A call reads it once and keeps what it read."""

    @property
    def current(self) -> Gateway:
        """Return the gateway built from the newest good configuration."""
