"""Where calls keep what the next ones must know: in the memory of this process, or shared through Redis."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, nullcontext
from importlib import import_module

import msgspec

from app.assembly.caching import shared_caching
from app.assembly.circuits import shared_circuits
from app.assembly.deps import Deps
from app.assembly.idempotency import open_repeats
from app.assembly.identity import shared_keys
from app.assembly.limits import open_limits
from app.assembly.request_log import open_requests
from app.assembly.sessions import open_sessions
from app.assembly.spending import open_usage, shared_budgets
from app.assembly.tapes import shared_tapes
from app.config.schema import Settings
from app.state.health_rota import SharedRota
from app.state.link import Shared
from app.state.replicas import SharedReplicas


def open_state(deps: Deps, settings: Settings) -> tuple[Deps, AbstractAsyncContextManager[object]]:
    """Return the deps with the state that `settings` ask for; the caller enters the link to Redis before it serves."""
    shared = _share(deps, settings)
    if shared is not None:
        deps = _with_redis(deps, settings, shared)
    opened = msgspec.structs.replace(
        deps,
        limits=open_limits(deps, settings, shared),
        repeats=open_repeats(deps, settings, shared),
        session_store=open_sessions(deps, settings, shared),
        usage=open_usage(deps, settings, shared),
    )
    return open_requests(opened, settings, shared), nullcontext() if shared is None else shared.link


def _share(deps: Deps, settings: Settings) -> Shared | None:
    given = settings.redis
    if given.url is None:
        return None
    redis = import_module("app.state.link.redis")  # half a second that a gateway without Redis need not spend
    options = redis.LinkOptions(given.timeout_s, given.connect_s)
    link = redis.RedisLink(given.url.get_secret_value(), options, deps.chance, deps.listener)
    return Shared(link, given.key_prefix)


def _with_redis(deps: Deps, settings: Settings, shared: Shared) -> Deps:
    """Return the deps with what replicas share if they can, and each process has for itself if not."""
    link, key_prefix = shared.link, shared.key_prefix
    deps = msgspec.structs.replace(
        deps,
        circuits=shared_circuits(deps, settings, shared),
        key_store=shared_keys(settings, shared),
        budgets=shared_budgets(deps, settings, shared),
        caching=shared_caching(deps, settings, shared),
        replicas=SharedReplicas(link, key_prefix),
        rota=SharedRota(link, key_prefix),
    )
    return msgspec.structs.replace(deps, tapes=shared_tapes(deps, shared))  # its tasks run beside those of the cache
