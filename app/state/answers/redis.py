"""
Stored answers in Redis, and the leases of those who make upstream calls for all replicas.

Everything about one answer has one hash tag, and with it one slot of a cluster; there are `SHARDS` tags, so that the
answers are spread over its nodes. Each tag has a list of its answers, so that an operator can be told what there is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from app.state.link import Argument, Command, Submit, decision, unheeded

SHARDS: Final = 32
PURGES_KEPT: Final = 256  # a replica that missed more of them forgets all of its copies
_TAIL_MS: Final = 10_000  # what has come of an answer is read while it comes, or not at all
_MAIL_MS: Final = 5_000


class RedisAnswers:
    """What can be asked of Redis about answers."""

    def __init__(self, submit: Submit, prefix: str) -> None:
        self._submit = submit
        self._prefix = prefix
        self._common = f"{{{prefix}:cache}}"

    def over(self, submit: Submit) -> RedisAnswers:
        """Return the same, asked in another way."""
        return RedisAnswers(submit, self._prefix)

    # --- one answer --------------------------------------------------------------------------------------------------

    def get(self, key: str) -> asyncio.Future[Any]:
        """Return the packed answer, or None."""
        return self._submit(Command(("GET", self._answer(key))))

    def look(self, key: str, token: str, lease_ms: int, *, stored_will_do: bool) -> asyncio.Future[Any]:
        """Return the packed answer and the token of who makes the call, one of which is empty."""
        keys = (self._answer(key), self._leader(key))
        return self._submit(decision("answers_look", keys, token, lease_ms, int(not stored_will_do)))

    def put(self, key: str, packed: bytes, kept_ms: int, known: bytes) -> asyncio.Future[Any]:
        """Store a packed answer, and what is known about it."""
        place = _place(self._prefix, key)
        keys = (self._answer(key), f"{place}:gone", f"{place}:known")
        return self._submit(decision("answers_put", keys, key, packed, kept_ms, known))

    # --- the call for it ---------------------------------------------------------------------------------------------

    def renew(self, key: str, token: str, lease_ms: int) -> asyncio.Future[Any]:
        """Keep a lease, or give it back (0 ms); return whether it was still there."""
        return self._submit(decision("answers_lease", (self._leader(key),), token, lease_ms))

    def tell(self, key: str, token: str, entries: Sequence[bytes], kept_ms: int = _TAIL_MS) -> asyncio.Future[Any]:
        """Add to what has come of the answer, all of which is kept for so long from now on."""
        return self._submit(decision("answers_tell", (self._tail(key, token),), kept_ms, *entries))

    def hear(self, key: str, token: str, known: int) -> asyncio.Future[Any]:
        """Return whether there will be more, what has come since, and the stored answer once all is over."""
        keys = (self._tail(key, token), self._leader(key), self._answer(key))
        return self._submit(decision("answers_hear", keys, token, known))

    def write_to(self, replica: str, letter: str) -> asyncio.Future[Any]:
        """Leave a letter for a replica."""
        box = self._box(replica)
        written = self._submit(Command(("RPUSH", box, letter)))
        unheeded(self._submit(Command(("PEXPIRE", box, _MAIL_MS))))
        return written

    def letters(self, replica: str) -> asyncio.Future[Any]:
        """Return the letters for a replica, which are gone then."""
        return self._submit(Command(("LPOP", self._box(replica), 1000)))

    # --- all of them -------------------------------------------------------------------------------------------------

    def count(self, shard: int, now_ms: int) -> asyncio.Future[Any]:
        """Return how many answers a shard has."""
        return self._submit(Command(("ZCOUNT", f"{_tag(self._prefix, shard)}:gone", now_ms, "+inf")))

    def known(self, shard: int, cursor: int, count: int) -> asyncio.Future[Any]:
        """Return the next cursor, and keys and what is known about their answers."""
        return self._submit(Command(("HSCAN", f"{_tag(self._prefix, shard)}:known", cursor, "COUNT", count)))

    def forget(self, shard: int, keys: Sequence[str]) -> asyncio.Future[Any]:
        """Forget answers of one shard and return how many there were."""
        tag = _tag(self._prefix, shard)
        places = (f"{tag}:gone", f"{tag}:known", *map(self._answer, keys))
        return self._submit(decision("answers_forget", places, *keys))

    def purge(self, selection: bytes) -> asyncio.Future[Any]:
        """Tell all replicas to forget copies."""
        keys = (f"{self._common}:purges", f"{self._common}:purged")
        return self._submit(decision("answers_purge", keys, selection, PURGES_KEPT))

    def purged(self, count: int) -> asyncio.Future[Any]:
        """Return the last `count` things that replicas were told to forget."""
        return self._submit(Command(("LRANGE", f"{self._common}:purged", -count, -1)))

    def beat(self, counted: Sequence[Argument]) -> asyncio.Future[Any]:
        """Add names and counts to what all replicas have counted; return how often they were told to forget copies."""
        keys = (f"{self._common}:counted", f"{self._common}:purges")
        return self._submit(decision("answers_beat", keys, *counted))

    def counted(self) -> asyncio.Future[Any]:
        """Return names and counts of what all replicas have counted."""
        return self._submit(Command(("HGETALL", f"{self._common}:counted")))

    def _answer(self, key: str) -> str:
        return f"{_place(self._prefix, key)}:answer:{key}"

    def _leader(self, key: str) -> str:
        return f"{_place(self._prefix, key)}:leader:{key}"

    def _tail(self, key: str, token: str) -> str:
        return f"{_place(self._prefix, key)}:tail:{token}"

    def _box(self, replica: str) -> str:
        return f"{self._prefix}:cache:mail:{replica}"


def shard_of(key: str) -> int:
    """Return which part of the answers has this one; the end of its key is a digest."""
    return int(key[-2:], 16) % SHARDS


def _place(prefix: str, key: str) -> str:
    return _tag(prefix, shard_of(key))


def _tag(prefix: str, shard: int) -> str:
    return f"{{{prefix}:cache:{shard}}}"
