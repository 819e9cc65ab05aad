"""What outlives a configuration."""

from __future__ import annotations

from secrets import token_bytes, token_hex

import msgspec

from app.assembly.tracing import Tracers
from app.core.accounts import Budgets
from app.core.circuits import Resting
from app.core.clock import Clock, SystemClock
from app.core.configuration import NoReplicas, Replicas
from app.core.health import Alone, ProviderHealth, Rota
from app.core.idempotency import Repeats
from app.core.insight import Insight
from app.core.keys.store import KeyStore
from app.core.limits.quotas import Quotas
from app.core.ports import Chance, Circuits, Limits, UpstreamClient
from app.core.provider_keys import KeyPools
from app.core.sessions import SessionStore
from app.core.signals import Listener
from app.core.stories import Hearing, Stories
from app.core.tapes import Tapes
from app.core.traffic.extra_calls import KeptBudgets, KeptShares
from app.core.traffic.memory import Traffic
from app.identity.key_sets import KeySets
from app.providers.discovery import Discovered
from app.providers.ways import Ways
from app.state.answers.caching import Caching
from app.state.keys.memory import LocalKeys
from app.state.limits.memory import LocalLimits
from app.state.repeats import RepeatLimits
from app.state.repeats.memory import LocalRepeats
from app.state.requests.book import RequestBook
from app.state.sessions import StoreLimits
from app.state.sessions.memory import MemorySessions
from app.state.usage.book import UsageBook


def new_id() -> str:
    """Return a name that nobody else gives."""
    return token_hex(8)


class Deps(msgspec.Struct, frozen=True):
    """
    What outlives a configuration: opened once, shared by every gateway built from then on.

    `client` reaches real providers, `sim` answers by script, `local` reaches the model on this machine; `circuits`,
    `budgets` and `usage` keep their state when the configuration changes, `traffic` is what strategies and bulkheads
    have counted so far, `ways` are the clients of providers reached in a way of their own, `keys` what became of keys
    of providers with several, `discovered` what providers said their models are, `quotas` what they said of their own
    limits, `retry_budgets` and `hedge_shares` what is left for retries and hedges, `replicas` the other processes, as
    far as they can be reached, `limits` the buckets of rate limits, `caching` the stored answers, `tapes` the streams
    that can be resumed, and `secret` a key that this process made up for hashes that need not be the same elsewhere.
    `key_store` has the virtual keys made while the gateway runs, `key_sets` the keys by which tokens are checked,
    `session_store` the conversations, `repeats` the answers for calls that are sent again. `health` is how providers
    did when they were asked for that, and `rota` says who asks. Without `tracers` no call is traced, whatever the
    configuration says; `hearing` is where listeners come and go, `stories` follows calls, `requests` keeps what became
    of them, and `insight` shows it.
    """

    client: UpstreamClient
    sim: UpstreamClient
    local: UpstreamClient
    listener: Listener
    clock: Clock
    chance: Chance
    circuits: Circuits
    budgets: Budgets
    usage: UsageBook
    resting: Resting = msgspec.field(default_factory=Resting)
    traffic: Traffic = msgspec.field(default_factory=Traffic)
    ways: Ways = msgspec.field(default_factory=Ways)
    keys: KeyPools = msgspec.field(default_factory=KeyPools)
    secret: bytes = msgspec.field(default_factory=lambda: token_bytes(32))
    retry_budgets: KeptBudgets = msgspec.field(default_factory=KeptBudgets)
    hedge_shares: KeptShares = msgspec.field(default_factory=KeptShares)
    replicas: Replicas = msgspec.field(default_factory=NoReplicas)
    quotas: Quotas = msgspec.field(default_factory=Quotas)
    health: ProviderHealth = msgspec.field(default_factory=ProviderHealth)
    rota: Rota = msgspec.field(default_factory=Alone)
    discovered: Discovered = msgspec.field(default_factory=Discovered)
    limits: Limits = msgspec.field(default_factory=lambda: LocalLimits(SystemClock()))
    key_store: KeyStore = msgspec.field(default_factory=LocalKeys)
    key_sets: KeySets = msgspec.field(default_factory=KeySets)
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
    tapes: Tapes = msgspec.field(default_factory=lambda: Tapes(SystemClock()))
    tracers: Tracers | None = None
    hearing: Hearing | None = None
    stories: Stories | None = None
    requests: RequestBook | None = None
    insight: Insight | None = None
