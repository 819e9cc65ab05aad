"""
Stored answers in Redis, and the leases of replicas that make upstream calls for all.

Everything about one answer has one hash tag, and with it one slot of a cluster; there are `SHARDS` tags, so that the
answers are spread over its nodes. Each tag has a list of its answers, for operators.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from app.state.link import Argument, Command, Submit, decision, unheeded

SHARDS: Final = 32
PURGES_KEPT: Final = 256  # a replica that missed more of them forgets all of its copies
_TAIL_MS: Final = 10_000  # entries of an answer are read while it arrives, or not at all
_MAIL_MS: Final = 5_000


class RedisAnswers:
    """The commands about answers."""

    def __init__(self, submit: Submit, prefix: str) -> None:
        self._submit = submit
        self._prefix = prefix
        self._common = f"{{{prefix}:cache}}"

    def over(self, submit: Submit) -> RedisAnswers:
        """Return the same commands over another submit function."""
        return RedisAnswers(submit, self._prefix)

    # --- one answer --------------------------------------------------------------------------------------------------

    def get(self, key: str) -> asyncio.Future[Any]:
        """Return the packed answer, or None."""
        return self._submit(Command(("GET", self._answer(key))))

    def look(self, key: str, token: str, lease_ms: int, *, stored_will_do: bool) -> asyncio.Future[Any]:
        """Return the packed answer and the token of the leader, one of which is empty."""
        keys = (self._answer(key), self._leader(key))
        return self._submit(decision("answers_look", keys, token, lease_ms, int(not stored_will_do)))

    def put(self, key: str, packed: bytes, kept_ms: int, known: bytes) -> asyncio.Future[Any]:
        """Store a packed answer and its metadata."""
        place = _place(self._prefix, key)
        keys = (self._answer(key), f"{place}:gone", f"{place}:known")
        return self._submit(decision("answers_put", keys, key, packed, kept_ms, known))

    # --- the call for it ---------------------------------------------------------------------------------------------

    def renew(self, key: str, token: str, lease_ms: int) -> asyncio.Future[Any]:
        """Renew a lease, or give it back (0 ms); return whether it still existed."""
        return self._submit(decision("answers_lease", (self._leader(key),), token, lease_ms))

    def tell(self, key: str, token: str, entries: Sequence[bytes], kept_ms: int = _TAIL_MS) -> asyncio.Future[Any]:
        """Append entries of the answer, and extend the lifetime of all of them."""
        return self._submit(decision("answers_tell", (self._tail(key, token),), kept_ms, *entries))

    def hear(self, key: str, token: str, known: int) -> asyncio.Future[Any]:
        """Return whether more may follow, the new entries, and the stored answer once it is complete."""
        keys = (self._tail(key, token), self._leader(key), self._answer(key))
        return self._submit(decision("answers_hear", keys, token, known))

    def write_to(self, replica: str, letter: str) -> asyncio.Future[Any]:
        """Leave a letter for a replica."""
        box = self._box(replica)
        written = self._submit(Command(("RPUSH", box, letter)))
        unheeded(self._submit(Command(("PEXPIRE", box, _MAIL_MS))))
        return written

    def letters(self, replica: str) -> asyncio.Future[Any]:
        """Return and delete the letters for a replica."""
        return self._submit(Command(("LPOP", self._box(replica), 1000)))

    # --- all of them -------------------------------------------------------------------------------------------------

    def count(self, shard: int, now_ms: int) -> asyncio.Future[Any]:
        """Return the number of answers of a shard."""
        return self._submit(Command(("ZCOUNT", f"{_tag(self._prefix, shard)}:gone", now_ms, "+inf")))

    def known(self, shard: int, cursor: int, count: int) -> asyncio.Future[Any]:
        """Return the next cursor, and keys with the metadata of their answers."""
        return self._submit(Command(("HSCAN", f"{_tag(self._prefix, shard)}:known", cursor, "COUNT", count)))

    def forget(self, shard: int, keys: Sequence[str]) -> asyncio.Future[Any]:
        """Delete answers of one shard and return their number."""
        tag = _tag(self._prefix, shard)
        places = (f"{tag}:gone", f"{tag}:known", *map(self._answer, keys))
        return self._submit(decision("answers_forget", places, *keys))

    def purge(self, selection: bytes) -> asyncio.Future[Any]:
        """Tell all replicas to forget copies."""
        keys = (f"{self._common}:purges", f"{self._common}:purged")
        return self._submit(decision("answers_purge", keys, selection, PURGES_KEPT))

    def purged(self, count: int) -> asyncio.Future[Any]:
        """Return the last `count` purges."""
        return self._submit(Command(("LRANGE", f"{self._common}:purged", -count, -1)))

    def beat(self, counted: Sequence[Argument]) -> asyncio.Future[Any]:
        """Add to the counts of all replicas; return the number of purges so far."""
        keys = (f"{self._common}:counted", f"{self._common}:purges")
        return self._submit(decision("answers_beat", keys, *counted))

    def counted(self) -> asyncio.Future[Any]:
        """Return the counts of all replicas by name."""
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
    """Return the shard of an answer, by the digest at the end of its key."""
    return int(key[-2:], 16) % SHARDS


def _place(prefix: str, key: str) -> str:
    return _tag(prefix, shard_of(key))


def _tag(prefix: str, shard: int) -> str:
    return f"{{{prefix}:cache:{shard}}}"
