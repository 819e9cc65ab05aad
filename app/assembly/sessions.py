"""Conversations that the gateway keeps: where, how long, and what is sent of them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from secrets import token_bytes

from app.assembly.calls import validate
from app.assembly.catalogue import models
from app.assembly.deps import Deps
from app.assembly.routing import routes
from app.config.schema import Settings
from app.core.call import Target
from app.core.routing.table import RoutingTable
from app.core.routing.wildcards import filled
from app.core.session_manager import SessionBounds, SessionManager
from app.core.sessions import SessionStore
from app.core.tokens import answer_tokens, prompt_tokens
from app.stages.sessions import SessionOptions, Sessions
from app.state.link import Link
from app.state.sessions import StoreLimits
from app.state.sessions.memory import MemorySessions


def open_sessions(deps: Deps, settings: Settings, link: Link | None) -> SessionStore:
    """Return the store of the sessions; what only some stores need is imported for those."""
    given, path = settings.sessions, Path(settings.sessions.path or "")
    limits = StoreLimits(given.max_sessions, given.max_total_bytes)
    store: SessionStore
    match given.store:
        case "file":
            store = import_module("app.state.sessions.file").FileSessions(path, limits, deps.clock)
        case "sqlite":
            store = import_module("app.state.sessions.sqlite").SqliteSessions(path, limits, deps.clock)
        case "redis" if link is not None:
            redis = import_module("app.state.sessions.redis")
            store = redis.RedisSessions(link, limits)
        case _:
            store = MemorySessions(limits, deps.clock)
    return store


def session_manager(settings: Settings, deps: Deps) -> SessionManager:
    """Return where sessions are begun and ended."""
    given = settings.sessions
    alone = given.store != "memory" or settings.server.workers == 1
    bounds = SessionBounds(given.max_bytes, given.ttl_s, alone)
    return SessionManager(deps.session_store, bounds, deps.clock, token_bytes, validate(settings).check_chat)


def sessions(settings: Settings, deps: Deps) -> Sessions:
    """Return the stage that continues conversations."""
    given = settings.sessions
    if given.trim == "none":
        options = SessionOptions(given.max_bytes, lambda _model: None, prompt_tokens, answer_tokens)
        return Sessions(options, deps.session_store, deps.listener)
    windows, most = _Windows(settings), given.context_tokens

    def window(model: str) -> int | None:
        known = [tokens for tokens in (windows.of(model), most) if tokens is not None]
        return min(known, default=None)

    options = SessionOptions(given.max_bytes, window, prompt_tokens, answer_tokens)
    return Sessions(options, deps.session_store, deps.listener)


class _Windows:
    """How many tokens models take, as far as their routes or the catalogue say so."""

    def __init__(self, settings: Settings) -> None:
        self._routes = settings.models
        self._routing = RoutingTable(routes(settings), dict.fromkeys(settings.providers, ()))
        self._known = models(settings)

    def of(self, model: str) -> int | None:
        """Return the largest window among the targets of a route; None if that of one of them is not known."""
        group = self._routing.groups(model)[0]
        if group.route is None:
            return self._known_of(group.targets[0])
        found: list[int] = []
        for given in self._routes[group.route].targets:
            window = given.context_window
            if window is None:
                window = self._known_of(Target(given.provider, filled(given.model, group.star)))
            if window is None:
                return None
            found.append(window)
        return max(found)

    def _known_of(self, target: Target) -> int | None:
        info = self._known.find(target.provider, target.model)
        return None if info is None else info.context_window
