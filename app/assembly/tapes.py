"""Streams that can be resumed, at any replica if there is a Redis."""

from __future__ import annotations

from importlib import import_module

import msgspec

from app.assembly.deps import Deps, new_id
from app.config.schema import Settings
from app.core.tapes import Tapes
from app.state.answers.leading import Means, Rhythm
from app.state.answers.redis import RedisAnswers
from app.state.link import Shared
from app.state.tapes.entries import Seal
from app.state.tapes.sharing import SharedTapes

_RHYTHM = Rhythm(heard_s=0.1)


def open_tapes(deps: Deps, settings: Settings, shared: Shared | None) -> Deps:  # noqa: ARG001 - a reload may enable them
    """Let tapes be copied, if there is a Redis."""
    if shared is None:
        return deps
    store = RedisAnswers(shared.link.submit, shared.key_prefix)
    means = Means(store, shared.link, deps.caching.flights, deps.clock, _RHYTHM)
    copies = SharedTapes(new_id(), means, _seal)
    shared.link.follow(copies)
    return msgspec.structs.replace(deps, tapes=Tapes(deps.clock, copies=copies))


def _seal(stream_id: str) -> Seal:
    made: Seal = import_module("app.state.tapes.sealing").StreamSeal(stream_id)  # needs cryptography
    return made
