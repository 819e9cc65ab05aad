"""
Where calls keep what the next ones must know: in the memory of this process, or shared through Redis.

A feature with such state has an `Opener` in its own file, and is named in `_OPENERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from importlib import import_module
from typing import Final, TypeAlias

import msgspec

from app.assembly.caching import open_cache
from app.assembly.circuits import open_circuits
from app.assembly.deps import Deps
from app.assembly.health import open_rota
from app.assembly.idempotency import open_repeats
from app.assembly.identity import open_keys
from app.assembly.limits import open_limits
from app.assembly.requests import open_requests
from app.assembly.sessions import open_sessions
from app.assembly.spending import open_budgets, open_usage
from app.assembly.tapes import open_tapes
from app.config.schema import Settings
from app.state.link import Shared
from app.state.replicas import LinkedReplicas

# Puts the state of one feature into the deps. Without a `Shared` it is in memory; whatever follows the link of one must
# do so now, before the link is entered.
Opener: TypeAlias = Callable[[Deps, Settings, Shared | None], Deps]


def _open_replicas(deps: Deps, settings: Settings, shared: Shared | None) -> Deps:  # noqa: ARG001 - of every opener
    """Let the replicas be reached through Redis; without it nobody can be."""
    if shared is None:
        return deps
    return msgspec.structs.replace(deps, replicas=LinkedReplicas(shared.link, shared.key_prefix))


_OPENERS: Final[Sequence[Opener]] = (
    open_circuits,
    open_keys,
    open_limits,
    open_cache,
    open_tapes,
    open_repeats,
    open_sessions,
    open_budgets,
    open_usage,
    open_requests,
    _open_replicas,
    open_rota,
)


def open_state(deps: Deps, settings: Settings) -> tuple[Deps, AbstractAsyncContextManager[object]]:
    """Return the deps with the state that `settings` ask for; the caller enters the link to Redis before it serves."""
    shared = _share(deps, settings)
    for opener in _OPENERS:
        deps = opener(deps, settings, shared)
    return deps, nullcontext() if shared is None else shared.link


def _share(deps: Deps, settings: Settings) -> Shared | None:
    given = settings.redis
    if given.url is None:
        return None
    redis = import_module("app.state.link.redis")  # half a second that a gateway without Redis need not spend
    options = redis.LinkOptions(given.timeout_s, given.connect_s)
    link = redis.RedisLink(given.url.get_secret_value(), options, deps.chance, deps.listener)
    return Shared(link, given.key_prefix)
