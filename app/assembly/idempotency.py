"""Assemble idempotency: calls with the same key are executed once."""

from __future__ import annotations

from app.assembly.deps import Deps, new_id
from app.config.schema import Settings
from app.core.idempotency import Repeats
from app.stages.idempotency import Idempotency
from app.state.idempotency import RepeatLimits
from app.state.idempotency.memory import LocalRepeats
from app.state.idempotency.redis import SharedRepeats
from app.state.link import Link


def open_repeats(deps: Deps, settings: Settings, link: Link | None) -> Repeats:
    """Return the store of answers for repeated calls, in Redis if there is one."""
    given = settings.idempotency
    limits = RepeatLimits(given.ttl_s, given.max_entries, given.entry_max_bytes, given.max_bytes)
    local = LocalRepeats(limits, deps.clock, new_id)
    if link is None:
        return local
    return SharedRepeats(link, local, settings.redis.fail.idempotency)


def idempotency(settings: Settings, deps: Deps) -> list[Idempotency]:
    """Return the idempotency stage, unless it is switched off."""
    given = settings.idempotency
    return [Idempotency(given.entry_max_bytes, deps.repeats, deps.clock, deps.listener)] if given.enabled else []
