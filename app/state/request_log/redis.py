"""The request log in a stream of Redis, which all replicas share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from app.core.request_log import RequestEntry, RequestQuery
from app.state.link import Command, Link, all_of, pairs_of, text_of

_PAGE: Final = 100  # entries; calls may be waiting for the same connection
_FIELD: Final = "entry"


class RedisRequests:
    """Keeps about `max_entries`; those that come while Redis is away are refused."""

    shared = True

    def __init__(self, link: Link, max_entries: int) -> None:
        self._link = link
        self._stream = f"{{{link.key_prefix}:requests}}"
        self._max_entries = max_entries

    async def add(self, entries: Sequence[RequestEntry]) -> None:
        """Append each; the stream trims itself."""
        words = ("XADD", self._stream, "MAXLEN", "~", self._max_entries, "*", _FIELD)
        await all_of(self._link, [Command((*words, msgspec.json.encode(entry))) for entry in entries])

    async def find(self, query: RequestQuery) -> list[RequestEntry]:
        """Read back page by page, until there are enough."""
        found: list[RequestEntry] = []
        last = "+"
        for _ in range(-(-self._max_entries // _PAGE) + 1):
            (page,) = await all_of(self._link, [Command(("XREVRANGE", self._stream, last, "-", "COUNT", _PAGE))])
            entries = [_entry(fields) for _, fields in page]
            found += filter(query.admits, entries)
            if len(page) < _PAGE or len(found) >= query.limit or _past(query, entries[-1]):
                break
            last = f"({text_of(page[-1][0])}"
        return found[: query.limit]

    async def aclose(self) -> None:
        """The link is not this store's."""


def _past(query: RequestQuery, oldest: RequestEntry) -> bool:
    """Say that all further entries are older than what is wanted; replicas' clocks may differ by a minute."""
    return query.since is not None and oldest.at < query.since - 60.0


def _entry(fields: Any) -> RequestEntry:  # noqa: ANN401 - as redis-py hands it over
    ((_, packed),) = pairs_of(fields)
    return msgspec.json.decode(packed, type=RequestEntry)
