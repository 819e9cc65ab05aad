"""What outlives a configuration."""

from __future__ import annotations

from secrets import token_bytes

import msgspec

from app.assembly.tracing import Tracers
from app.core.balancing import Traffic
from app.core.budget import KeptBudgets
from app.core.clock import Clock, SystemClock
from app.core.configuration import NoReplicas, Replicas
from app.core.insight import Insight
from app.core.keys import KeyPools
from app.core.ports import Budgets, Chance, Circuits, Limits, UpstreamClient
from app.core.resting import Resting
from app.core.signals import Listener
from app.core.stories import Hearing, Stories
from app.providers.client import ProxiedClients
from app.state.answers.caching import Caching
from app.state.limits.memory import LocalLimits
from app.state.requests.book import RequestBook
from app.state.usage.book import UsageBook


class Deps(msgspec.Struct, frozen=True):
    """
    What outlives a configuration: opened once, shared by every gateway built from then on.

    `client` reaches real providers, `sim` answers by script, `local` reaches the model on this machine; `circuits`,
    `budgets` and `usage` keep their state when the configuration changes, `traffic` is what strategies and bulkheads
    have counted so far, `proxied` are the clients of providers behind a proxy, `keys` what became of keys of providers
    with several, `retry_budgets` what is left for retries, `replicas` the other processes, as far as they can be
    reached, `limits` the buckets of rate limits, `caching` the stored answers, and `secret` a key that this process
    made up for hashes that need not be the same elsewhere. Without `tracers` no call is traced, whatever the
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
    proxied: ProxiedClients = msgspec.field(default_factory=ProxiedClients)
    keys: KeyPools = msgspec.field(default_factory=KeyPools)
    secret: bytes = msgspec.field(default_factory=lambda: token_bytes(32))
    retry_budgets: KeptBudgets = msgspec.field(default_factory=KeptBudgets)
    replicas: Replicas = msgspec.field(default_factory=NoReplicas)
    limits: Limits = msgspec.field(default_factory=lambda: LocalLimits(SystemClock()))
    caching: Caching = msgspec.field(default_factory=Caching)
    tracers: Tracers | None = None
    hearing: Hearing | None = None
    stories: Stories | None = None
    requests: RequestBook | None = None
    insight: Insight | None = None
