"""Conversations that the gateway keeps: where, how long, and what is sent of them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from secrets import token_bytes

import msgspec

from app.assembly.deps import Deps
from app.config.schema import Settings
from app.core.session_office import SessionBounds, SessionOffice
from app.core.sessions import SessionStore
from app.core.tokens import answer_tokens, prompt_tokens
from app.stages.sessions import SessionOptions, Sessions
from app.state.link import Shared
from app.state.sessions import StoreLimits
from app.state.sessions.memory import MemorySessions


def open_sessions(deps: Deps, settings: Settings, shared: Shared | None) -> Deps:
    """Open the store of the sessions; what only some stores need is imported for those."""
    given, path = settings.sessions, Path(settings.sessions.path or "")
    limits = StoreLimits(given.max_sessions, given.max_total_bytes)
    store: SessionStore
    match given.store:
        case "file":
            store = import_module("app.state.sessions.files").FileSessions(path, limits, deps.clock)
        case "sqlite":
            store = import_module("app.state.sessions.sqlite").SqliteSessions(path, limits, deps.clock)
        case "redis" if shared is not None:
            redis = import_module("app.state.sessions.redis")
            store = redis.RedisSessions(shared.link, shared.key_prefix, limits)
        case _:
            store = MemorySessions(limits, deps.clock)
    return msgspec.structs.replace(deps, session_store=store)


def session_office(settings: Settings, deps: Deps) -> SessionOffice:
    """Return where sessions are begun and ended."""
    given = settings.sessions
    alone = given.store != "memory" or settings.server.workers == 1
    bounds = SessionBounds(given.max_bytes, given.ttl_s, alone)
    return SessionOffice(deps.session_store, bounds, deps.clock, token_bytes)


def sessions(settings: Settings, deps: Deps) -> Sessions:
    """Return the stage that continues conversations."""
    given = settings.sessions
    windows = {} if given.trim == "none" else _windows(settings)
    most = None if given.trim == "none" else given.context_tokens

    def window(model: str) -> int | None:
        known = [tokens for tokens in (windows.get(model), most) if tokens is not None]
        return min(known, default=None)

    options = SessionOptions(given.max_bytes, window, prompt_tokens, answer_tokens)
    return Sessions(options, deps.session_store, deps.listener)


def _windows(settings: Settings) -> dict[str, int]:
    """Return the largest window among the targets of each route; one with a target without bound has none."""
    found: dict[str, int] = {}
    for name, route in settings.models.items():
        windows = [target.context_window for target in route.targets]
        known = [window for window in windows if window is not None]
        if len(known) == len(windows):
            found[name] = max(known)
    return found
