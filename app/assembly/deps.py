"""What outlives a configuration."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import SystemRandom
from secrets import token_bytes, token_hex

import msgspec

from app.assembly.tracing import Tracers
from app.core.accounts import Budgets
from app.core.circuits import Resting
from app.core.clock import Clock, SystemClock
from app.core.configuration import NoReplicas, Replicas
from app.core.decision_trace import DecisionTraces, Hearing
from app.core.health import Alone, ProviderHealth, Rota
from app.core.idempotency import Repeats
from app.core.insight import Insight
from app.core.keys.store import KeyStore
from app.core.limits.quotas import Quotas
from app.core.ports import Chance, Circuits, Limits, UpstreamClient
from app.core.provider_keys import KeyPools
from app.core.sessions import SessionStore
from app.core.signals import Listener
from app.core.tapes import Tapes
from app.core.traffic.memory import Traffic
from app.core.traffic.retry_budget import KeptShares, RetryBudgets, kept_budgets
from app.identity.key_sets import KeySets
from app.providers.discovery import Discovered
from app.providers.sim import SimUpstream
from app.providers.special_clients import Ways
from app.state.answers.caching import Caching
from app.state.budgets.memory import LocalBudgets
from app.state.circuits.announcer import Announcer
from app.state.circuits.memory import LocalCircuits, Means
from app.state.idempotency import RepeatLimits
from app.state.idempotency.memory import LocalRepeats
from app.state.keys.memory import LocalKeys
from app.state.limits.memory import LocalLimits
from app.state.request_log.book import RequestBook
from app.state.sessions import StoreLimits
from app.state.sessions.memory import MemorySessions
from app.state.usage.book import UsageBook
from app.state.usage.memory import MemoryUsage


def new_id() -> str:
    """Return a random, unique id."""
    return token_hex(8)


class Deps(msgspec.Struct, frozen=True):
    """
    What outlives a configuration: opened once, shared by every gateway built from then on.

    What is in memory here may be shared by replicas instead (`opening.py`).
    """

    client: UpstreamClient  # reaches real providers
    sim: UpstreamClient  # answers by script
    local: UpstreamClient  # reaches the model on this machine
    listener: Listener
    clock: Clock
    chance: Chance
    circuits: Circuits
    budgets: Budgets
    usage: UsageBook
    resting: Resting = msgspec.field(default_factory=Resting)
    traffic: Traffic = msgspec.field(default_factory=Traffic)  # the counts of strategies and bulkheads
    secret: bytes = msgspec.field(default_factory=partial(token_bytes, 32))  # for hashes of this process alone

    # providers: clients for those with their own proxy or TLS, keys of those with several, their models and limits
    ways: Ways = msgspec.field(default_factory=Ways)
    keys: KeyPools = msgspec.field(default_factory=KeyPools)
    discovered: Discovered = msgspec.field(default_factory=Discovered)
    quotas: Quotas = msgspec.field(default_factory=Quotas)
    health: ProviderHealth = msgspec.field(default_factory=ProviderHealth)  # the results of health probes
    rota: Rota = msgspec.field(default_factory=Alone)  # which replica probes

    # calls: budgets of retries and hedges, rate limit buckets, stored answers and sessions
    retry_budgets: Callable[[float, float], RetryBudgets] = msgspec.field(default_factory=kept_budgets)
    hedge_shares: KeptShares = msgspec.field(default_factory=KeptShares)
    limits: Limits = msgspec.field(default_factory=lambda: LocalLimits(SystemClock()))
    session_store: SessionStore = msgspec.field(
        default_factory=lambda: MemorySessions(
            StoreLimits(sessions_max=1000, total_max_bytes=268_435_456), SystemClock()
        )
    )
    repeats: Repeats = msgspec.field(
        default_factory=lambda: LocalRepeats(
            RepeatLimits(86_400.0, 10_000, 1_048_576, 67_108_864), SystemClock(), new_id
        )
    )
    caching: Caching = msgspec.field(default_factory=Caching)
    tapes: Tapes = msgspec.field(default_factory=lambda: Tapes(SystemClock()))  # streams that can be resumed

    # callers: keys created at run time, and the key sets that verify tokens
    key_store: KeyStore = msgspec.field(default_factory=LocalKeys)
    key_sets: KeySets = msgspec.field(default_factory=KeySets)

    # operators: the other replicas, tracing, and decision traces
    replicas: Replicas = msgspec.field(default_factory=NoReplicas)
    tracers: Tracers | None = None  # None: no tracing, whatever the configuration says
    hearing: Hearing | None = None  # where listeners are added and removed
    stories: DecisionTraces | None = None
    requests: RequestBook | None = None
    insight: Insight | None = None


def make_deps(
    client: UpstreamClient,
    local: UpstreamClient,
    listener: Listener,
    resting: Resting | None = None,
    clock: Clock = SystemClock(),  # noqa: B008 - it has no state
) -> Deps:
    """Return what all gateways of this process share; `resting` must be one of the listeners behind `listener`."""
    chance = SystemRandom().random
    return Deps(
        client,
        SimUpstream(clock, chance),
        local,
        listener,
        clock,
        chance,
        circuits=LocalCircuits(Means(clock, chance, Announcer(listener))),
        budgets=LocalBudgets(clock, listener, new_id),
        usage=UsageBook(MemoryUsage(), clock, new_id, retention_days=1),
        resting=resting or Resting(),
    )
