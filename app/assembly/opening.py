"""Open the state that outlives calls: in the memory of this process, in SQLite, or shared through Redis."""

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
from app.state.link import Link
from app.state.replicas import SharedReplicas


def open_state(deps: Deps, settings: Settings) -> tuple[Deps, AbstractAsyncContextManager[object]]:
    """Return the deps with the state that `settings` ask for; the caller enters the link to Redis before it serves."""
    link = _link(deps, settings)
    if link is not None:
        deps = _with_redis(deps, settings, link)
    opened = msgspec.structs.replace(
        deps,
        limits=open_limits(deps, settings, link),
        repeats=open_repeats(deps, settings, link),
        session_store=open_sessions(deps, settings, link),
        usage=open_usage(deps, settings, link),
    )
    return open_requests(opened, settings, link), nullcontext() if link is None else link


def _link(deps: Deps, settings: Settings) -> Link | None:
    given = settings.redis
    if given.url is None:
        return None
    redis = import_module("app.state.link.redis")  # imported lazily: takes half a second
    options = redis.LinkOptions(given.timeout_s, given.connect_s, key_prefix=given.key_prefix)
    link: Link = redis.RedisLink(given.url.get_secret_value(), options, deps.chance, deps.listener)
    return link


def _with_redis(deps: Deps, settings: Settings, link: Link) -> Deps:
    """Return the deps with state that replicas share, and that each process keeps by itself while Redis is down."""
    deps = msgspec.structs.replace(
        deps,
        circuits=shared_circuits(deps, settings, link),
        key_store=shared_keys(settings, link),
        budgets=shared_budgets(deps, settings, link),
        caching=shared_caching(deps, settings, link),
        replicas=SharedReplicas(link),
        rota=SharedRota(link),
    )
    return msgspec.structs.replace(deps, tapes=shared_tapes(deps, link))  # its tasks run beside those of the cache
