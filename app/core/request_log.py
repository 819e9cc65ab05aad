"""
The request log: what is kept of a call when it is over. Names, codes and numbers; never a prompt, an answer or a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias

import msgspec

Fact: TypeAlias = str | int | float | bool | None


class Step(msgspec.Struct, frozen=True):
    """Something that happened to a call: when, in milliseconds from its start, what, and the particulars."""

    at_ms: float
    what: str
    facts: Mapping[str, Fact] = {}

    def shown(self) -> dict[str, Fact]:
        """Return all of it side by side, without what is unknown or empty."""
        told = {name: value for name, value in self.facts.items() if value not in (None, "")}
        return {"at_ms": self.at_ms, "what": self.what, **told}


class RequestEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    One call that is over.

    `at` is when it ended, in seconds since 1970. `outcome` is completed, failed, abandoned, or refused before it was a
    call. `model` is what the client asked for; `provider` and `target_model` say who answered or failed last. `key`,
    `team`, `user` and `session` say on whose behalf, as far as that is known. `steps` is the story of its decisions; it
    is missing (`shared`) if another call had the same id at the same time, so that nobody can tell whose they are.
    """

    id: str
    at: float
    endpoint: str
    model: str
    stream: bool
    outcome: str
    status: int
    duration_ms: float
    overhead_ms: float
    attempts: int = 0
    position: int = 0
    provider: str = ""
    target_model: str = ""
    code: str = ""
    kind: str = ""
    first_token_ms: float | None = None
    tokens_per_s: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost_usd: float | None = None
    cache: str | None = None
    key: str = ""
    team: str = ""
    user: str = ""
    session: str = ""
    tags: tuple[str, ...] = ()
    trace_id: str = ""
    shared: bool = False
    steps: tuple[Step, ...] = ()


class RequestQuery(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    Which entries are wanted: those that have all that is given here, the newest first, `limit` of them at most.

    `since` and `before` bound `at`, the latter without its own value; `min_duration_ms` leaves out what was quicker.
    """

    limit: int = 50
    id: str | None = None
    endpoint: str | None = None
    model: str | None = None
    provider: str | None = None
    target_model: str | None = None
    outcome: str | None = None
    status: int | None = None
    code: str | None = None
    kind: str | None = None
    key: str | None = None
    team: str | None = None
    user: str | None = None
    session: str | None = None
    cache: str | None = None
    trace_id: str | None = None
    since: float | None = None
    before: float | None = None
    min_duration_ms: float | None = None

    def equalities(self) -> list[tuple[str, str | int]]:
        """Return the fields of an entry that must have a certain value, with that value."""
        bounds = {"limit", "since", "before", "min_duration_ms"}
        found = ((name, getattr(self, name)) for name in self.__struct_fields__ if name not in bounds)
        return [(name, value) for name, value in found if value is not None]

    def admits(self, entry: RequestEntry) -> bool:
        """Say whether an entry is wanted."""
        return (
            (self.since is None or entry.at >= self.since)
            and (self.before is None or entry.at < self.before)
            and (self.min_duration_ms is None or entry.duration_ms >= self.min_duration_ms)
            and all(getattr(entry, name) == value for name, value in self.equalities())
        )


class RequestLog(Protocol):
    """Knows the calls that are over."""

    async def find(self, query: RequestQuery) -> list[RequestEntry]:
        """
        Return the entries that are wanted, the newest first.

        Raises:
            GatewayError: STATE_UNAVAILABLE.
        """
