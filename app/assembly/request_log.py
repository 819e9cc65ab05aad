"""Assemble the request log and decision traces, and who may see a trace."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import msgspec

from app.assembly.deps import Deps
from app.config.listening import places
from app.config.schema import Settings
from app.core.decision_trace import DecisionTraces
from app.core.identity import Caller
from app.stages.decision_trace import DecisionTrace
from app.state.link import Link
from app.state.request_log.book import RequestBook, RequestStore
from app.state.request_log.memory import MemoryRequests
from app.state.request_log.redis import RedisRequests


def decision_trace(settings: Settings, deps: Deps) -> list[DecisionTrace]:
    """Return the stage that records decision traces, if the request log or a caller may use them."""
    if deps.stories is None or (deps.requests is None and settings.request_log.debug == "never"):
        return []
    return [DecisionTrace(deps.stories, may_see(settings), everybody=deps.requests is not None)]


def may_see(settings: Settings) -> Callable[[Caller], bool]:
    """
    Return the predicate of who may see the decision trace of a call.

    A trace names targets and limits that not every caller should know. With "auto", those may see it whose keys
    allow it, and everybody where no key is required and only this machine can connect.
    """
    match settings.request_log.debug:
        case "always":
            return lambda _caller: True
        case "never":
            return lambda _caller: False
        case "auto":
            anybody = not settings.auth.required and not any(place.shared for place in places(settings))
            return lambda caller: anybody or caller.debug


def open_requests(deps: Deps, settings: Settings, link: Link | None) -> Deps:
    """Return the deps with the configured request log, and the collector of decision traces."""
    if deps.hearing is None:
        return deps
    given = settings.request_log
    if not given.enabled:
        return msgspec.structs.replace(deps, stories=DecisionTraces(deps.clock, deps.hearing))
    book = RequestBook(_store(settings, link), deps.clock)
    stories = DecisionTraces(deps.clock, deps.hearing, book.take)
    deps.hearing.add(stories)
    return msgspec.structs.replace(deps, stories=stories, requests=book)


def _store(settings: Settings, link: Link | None) -> RequestStore:
    given = settings.request_log
    match given.store:
        case "sqlite" if given.path is not None:
            store: RequestStore = import_module("app.state.request_log.sqlite").SqliteRequests(
                given.path, given.max_entries
            )
            return store
        case "redis" if link is not None:
            return RedisRequests(link, given.max_entries)
        case _:
            return MemoryRequests(given.max_entries)
