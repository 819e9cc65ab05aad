"""Assemble the tapes of resumable streams, which any replica can resume if there is a Redis."""

from __future__ import annotations

from importlib import import_module

from app.assembly.deps import Deps, new_id
from app.core.tapes import Tapes
from app.state.answers.leases import Means, Rhythm
from app.state.answers.redis import RedisAnswers
from app.state.link import Link
from app.state.tapes.entries import Seal
from app.state.tapes.sharing import SharedTapes

_RHYTHM = Rhythm(heard_s=0.1)


def shared_tapes(deps: Deps, link: Link) -> Tapes:
    """Return tapes whose copies other replicas can find; even if disabled, as a reload may enable resuming."""
    store = RedisAnswers(link.submit, link.key_prefix)
    means = Means(store, link, deps.caching.flights, deps.clock, _RHYTHM)
    return Tapes(deps.clock, copies=SharedTapes(new_id(), means, _seal))


def _seal(stream_id: str) -> Seal:
    made: Seal = import_module("app.state.tapes.sealing").StreamSeal(stream_id)  # needs cryptography
    return made
