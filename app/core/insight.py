"""What an operator may look at while the gateway runs, whichever worker is asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Protocol, TypeAlias

import msgspec

from app.core.request_log import RequestLog
from app.core.spending.ledger import UsageReader

Figures: TypeAlias = Mapping[str, object]  # as JSON has it


class EventsQuery(msgspec.Struct, frozen=True):
    """Which events are wanted: those of some names (none given: all), and of one request if that is given."""

    names: frozenset[str] = frozenset()
    request_id: str | None = None

    def admits(self, name: str, request_id: object) -> bool:
        """Say whether an event is wanted."""
        return (not self.names or name in self.names) and self.request_id in {None, request_id}


class Event(msgspec.Struct, frozen=True):
    """Something that happened: its name, and a JSON object that says the rest."""

    name: str
    body: bytes


class Insight(Protocol):
    """Knows what goes on."""

    @property
    def requests(self) -> RequestLog | None:
        """Return the request log, if there is one."""

    @property
    def usage(self) -> UsageReader:
        """Return who knows what was used."""
        ...

    async def stats(self) -> Figures:
        """Return the figures of this moment."""

    def events(self, query: EventsQuery) -> AsyncGenerator[Event, None]:
        """Yield what happens from now on, until the gateway ends; who reads too slowly misses some."""
