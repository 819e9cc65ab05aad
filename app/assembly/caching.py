"""Assemble the response cache: which calls it serves, how long answers live, and where they are stored."""

from __future__ import annotations

from collections.abc import Callable

from app.assembly.deps import Deps, new_id
from app.config.schema import Settings
from app.core.allow_list import slashed
from app.core.caching.answers import Answers, Lifetimes, Places
from app.core.caching.broadcast import BroadcastBounds
from app.core.caching.flight_carrier import Carrier
from app.core.caching.keys import Keys
from app.core.caching.policy import CachePolicy
from app.core.caching.ports import CacheDesk, SharedAnswers
from app.core.caching.semantic import Semantics
from app.core.model import Operation
from app.stages.cache import Cache, CacheOptions
from app.state.answers.caching import Caching, LocalDesk
from app.state.answers.memory import MemoryShelf, ShelfBounds
from app.state.answers.redis import RedisAnswers
from app.state.answers.sharing import ReplicatedAnswers, SharingOptions
from app.state.link import Link
from app.state.vectors.redis import VectorSets

_BEHIND_MAX_BYTES = 4_194_304  # of a shared stream: some 15,000 events that its slowest reader has not read


def cache(settings: Settings, deps: Deps) -> list[Cache]:
    """Return the cache stage, if the cache is enabled."""
    given = settings.cache
    if not given.enabled:
        return []
    places = Places(_shelf(settings, deps), _shared(settings, deps), deps.chance)
    answers = Answers(_policy(settings), _lifetimes(settings), places, deps.clock)
    bounds = BroadcastBounds(settings.streaming.buffer_bytes, _BEHIND_MAX_BYTES, given.max_entry_bytes)
    semantics = _semantics(settings, deps)
    carrier = Carrier(answers, bounds, semantics, paced=given.replay_pace == "as_recorded")
    keys = Keys(given.scope, frozenset(given.ignore_fields), _fingerprints(settings))
    options = CacheOptions(given.coalesce, settings.timeouts.total_s, semantics is not None)
    return [Cache(options, keys, carrier, deps.caching.flights, deps.caching.tally)]


def shared_caching(deps: Deps, settings: Settings, link: Link) -> Caching:
    """Return the cache state that replicas share, if they do; even if disabled, as a reload may enable the cache."""
    if settings.cache.store == "memory":
        return deps.caching
    caching = Caching()
    store = RedisAnswers(link.submit, link.key_prefix)
    answers = ReplicatedAnswers(store, link, _sharing(settings, new_id()), caching.flights, deps.clock)
    caching.shared, caching.vector_sets = answers, VectorSets(link)
    return caching


def _shared(settings: Settings, deps: Deps) -> SharedAnswers | None:
    shared = deps.caching.shared
    if shared is not None:
        shared.options = _sharing(settings, shared.options.replica)  # a reload may have changed them
    return shared


def _sharing(settings: Settings, replica: str) -> SharingOptions:
    given = settings.cache
    return SharingOptions(given.copies, given.compress_min_bytes, settings.redis.fail.cache, replica)


def cache_desk(settings: Settings, deps: Deps) -> CacheDesk | None:
    """Return the cache's interface for the admin API, if the cache is enabled."""
    return LocalDesk(_shelf(settings, deps), deps.caching) if settings.cache.enabled else None


def _semantics(settings: Settings, deps: Deps) -> Semantics | None:
    given = settings.cache.semantic
    if not given.enabled or given.model is None:
        return None
    index = deps.caching.compared(given.model, given.max_entries)
    return Semantics(given.model, given.threshold, given.timeout_s, index, deps.clock)


def _shelf(settings: Settings, deps: Deps) -> MemoryShelf:
    given = settings.cache
    return deps.caching.stocked(ShelfBounds(given.max_entries, given.max_bytes, given.eviction), deps.clock)


def _policy(settings: Settings) -> CachePolicy:
    given = settings.cache
    return CachePolicy(
        operations=tuple(Operation(name) for name in given.operations),
        left_out=frozenset(name for name, route in settings.models.items() if not route.cache),
        answer_max_bytes=given.max_entry_bytes,
        tools=given.tools,
        several_choices=given.several_choices,
        media=given.media,
        seeds=given.seeds,
        truncated=given.truncated,
        max_temperature=given.max_temperature,
    )


def _lifetimes(settings: Settings) -> Lifetimes:
    given = settings.cache
    return Lifetimes(
        ttl_s=given.ttl_s,
        jitter=given.ttl_jitter,
        revalidate_s=given.stale_while_revalidate_s,
        on_error_s=given.stale_if_error_s,
        by_model={name: route.cache_ttl_s for name, route in settings.models.items() if route.cache_ttl_s is not None},
    )


def _fingerprints(settings: Settings) -> Callable[[str], str]:
    """Return a function from a model to a fingerprint of its targets; when they change, old answers no longer match."""
    places = {name: f"{name} {given.kind} {given.base_url or ''}" for name, given in settings.providers.items()}

    def direct(name: str) -> str:
        provider, _, model = slashed(name).partition("/")
        return f"{places.get(provider, '')} {model}"

    def routed(name: str, seen: frozenset[str]) -> str:
        route = settings.models.get(name)
        if route is None or name in seen:
            return direct(name)
        own = [f"{places.get(target.provider, '')} {target.model}" for target in route.targets]
        return ", ".join([*own, *(routed(each, seen | {name}) for each in route.fallbacks)])

    return lambda name: routed(name, frozenset())
