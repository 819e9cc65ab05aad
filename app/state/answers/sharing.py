"""
Stored answers, upstream calls and purges that replicas share through Redis.

Copies in the memory of a process live as long as the answer itself. A purge reaches them with the next beat of the
link, within a second.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from app.core.caching.ports import Looked, SharedView, Shelf, Tally
from app.core.caching.single_flight import Flight, Flights
from app.core.caching.stored import Label, Selection, Stored
from app.core.clock import Clock
from app.state.answers.entries import packed, unpacked
from app.state.answers.following import FollowedCall
from app.state.answers.leading import HeldLease
from app.state.answers.leases import Leaders, Means, Rhythm
from app.state.answers.redis import PURGES_KEPT, SHARDS, RedisAnswers, shard_of
from app.state.link import Fail, Follower, Link, StateLostError, arrived, out_of_reach, pairs_of, unheeded

_ADDED_UP: Final = ("hits", "misses", "coalesced", "bypassed", "stale")
_SCANNED: Final = 500  # answers at a time
_KEY_END: Final = re.compile("[0-9a-f]{2}$")
_ALL: Final = Selection()
_LABEL: Final = msgspec.msgpack.Decoder(Label)
_SELECTION: Final = msgspec.msgpack.Decoder(Selection)


class SharingOptions(msgspec.Struct, frozen=True):
    """
    How answers are shared.

    `copies`: whether processes keep copies. `compress_min_bytes`: the size from which answers are compressed. `fail`:
    the policy while Redis is out of reach. `replica`: the unique name of this replica. `counted_max`: how many answers
    are measured for operators.
    """

    copies: bool
    compress_min_bytes: int
    fail: Fail
    replica: str
    rhythm: Rhythm = Rhythm()
    counted_max: int = 20_000


class ReplicatedAnswers(Follower):
    """See `app.core.caching.ports.SharedAnswers`; a follower of the link."""

    def __init__(
        self, store: RedisAnswers, link: Link, options: SharingOptions, flights: Flights, clock: Clock
    ) -> None:
        self.options = options
        self._store = store
        self._link = link
        self._clock = clock
        self._means = Means(store, link, flights, clock, options.rhythm)
        self._leaders = Leaders(options.replica, self._means)
        self._shelf: Shelf | None = None
        self._tally = Tally()
        self._reported = Tally()
        self._purges: int | None = None
        link.follow(self)

    @property
    def without(self) -> Fail | None:
        """Return the policy to apply now; None while Redis is in reach."""
        return None if self._link.up else self.options.fail

    @property
    def copies(self) -> bool:
        """Return whether each process keeps copies in its own memory."""
        return self.options.copies

    def watch(self, shelf: Shelf, tally: Tally) -> None:
        """Apply purges to the copies in `shelf`, and add the counts of `tally` to those of all replicas."""
        self._shelf, self._tally = shelf, tally

    # --- for calls ---------------------------------------------------------------------------------------------------

    async def get(self, key: str) -> Stored | None:
        """Return a stored answer, fresh or stale."""
        try:
            blob = await self._link.ask(self._store.get(key))
        except StateLostError:
            return None
        return unpacked(blob) if blob else None

    async def look(self, key: str, flight: Flight) -> Looked:
        """Return a fresh answer, or let one replica make the call."""
        try:
            stored, leader, token = await self._look(key, stored_will_do=True)
            if stored is not None and stored.age_s(self._clock.wall()) >= stored.fresh_s:
                _, leader, token = await self._look(key, stored_will_do=False)
        except StateLostError:
            return Looked()
        if not leader:
            return Looked(stored)
        if leader == token:
            return Looked(stored, lease=HeldLease(self._leaders, key, token, flight))
        return Looked(stored, remote=FollowedCall(key, leader, self._means))

    def put(self, key: str, stored: Stored) -> None:
        """Store an answer in the background."""
        if self._link.up:
            blob, known = packed(stored, self.options.compress_min_bytes), msgspec.msgpack.encode(stored.label)
            unheeded(self._store.put(key, blob, max(1, round(stored.kept_s * 1000)), known))

    async def _look(self, key: str, *, stored_will_do: bool) -> tuple[Stored | None, str, str]:
        token = self._leaders.token()
        asked = self._store.look(key, token, self._means.rhythm.lease_ms, stored_will_do=stored_will_do)
        try:
            blob, leader = await self._link.ask(asked)
        except (asyncio.CancelledError, StateLostError):
            asked.add_done_callback(lambda answer: self._give_back(key, token, answer))
            raise
        stored = unpacked(blob) if blob else None
        if blob and stored is None:  # of another version
            return await self._look(key, stored_will_do=False)
        return stored, leader.decode(), token

    def _give_back(self, key: str, token: str, answer: asyncio.Future[Any]) -> None:
        """Give back a lease that was granted after the call was cancelled."""
        if arrived(answer) and answer.result()[1] == token.encode():
            self._leaders.release(key, token)

    # --- for operators -----------------------------------------------------------------------------------------------

    async def view(self) -> SharedView | None:
        """Count the stored answers; None if Redis is out of reach."""
        store, now_ms = self._store.over(self._link.operate), round(self._clock.wall() * 1000)
        try:
            entries = sum([await store.count(shard, now_ms) for shard in range(SHARDS)])
            sizes = [label.size_bytes async for _, label in _labels(store, range(SHARDS), self.options.counted_max)]
            counted = await store.counted()
        except StateLostError:
            return None
        return SharedView(entries, sum(sizes), entries > len(sizes), _tally_of(counted))

    async def remove(self, selection: Selection) -> int:
        """
        Delete the selected answers everywhere, and return their number.

        Raises:
            GatewayError: STATE_UNAVAILABLE; some of them may be left.
        """
        if self._shelf is not None:
            self._shelf.remove(selection)
        store = self._store.over(self._link.operate)
        try:
            count = sum([await self._forget(store, shard, selection) for shard in _shards(selection)])
            await store.purge(msgspec.msgpack.encode(selection))
        except StateLostError as error:
            raise out_of_reach("The answers are shared through", "; some of them may be left") from error
        return count

    async def _forget(self, store: RedisAnswers, shard: int, selection: Selection) -> int:
        count, now = 0, self._clock.wall()
        keys = [key async for key, label in _labels(store, (shard,)) if selection.covers(key, label, now)]
        for start in range(0, len(keys), _SCANNED):
            count += await store.forget(shard, keys[start : start + _SCANNED])
        return count

    # --- for the link ------------------------------------------------------------------------------------------------

    async def beat(self) -> None:
        """Send counts, and apply the purges of other replicas."""
        now = msgspec.structs.replace(self._tally)
        counts = [(name, getattr(now, name) - getattr(self._reported, name)) for name in _ADDED_UP]
        purges: int = await self._store.beat([word for pair in counts for word in pair])
        self._reported = now
        known, self._purges = self._purges, purges
        if known is None or known == purges or self._shelf is None:
            return
        if not known < purges <= known + PURGES_KEPT:  # another Redis, or this replica missed too many purges
            self._shelf.remove(_ALL)
            return
        for selection in await self._store.purged(purges - known):
            self._shelf.remove(_SELECTION.decode(selection))


async def _labels(store: RedisAnswers, shards: Iterable[int], most: int = 2**62) -> AsyncIterator[tuple[str, Label]]:
    """Iterate over the metadata of the answers of some shards."""
    seen = 0
    for shard in shards:
        cursor = 0
        while True:
            cursor, found = await store.known(shard, cursor, _SCANNED)
            for key, label in pairs_of(found):
                seen += 1
                yield key.decode(), _LABEL.decode(label)
            if seen >= most:
                return
            if not int(cursor):
                break


def _shards(selection: Selection) -> Iterable[int]:
    if selection.key is None:
        return range(SHARDS)
    return (shard_of(selection.key),) if _KEY_END.search(selection.key) else ()


def _tally_of(counted: Sequence[bytes] | Mapping[bytes, bytes]) -> Tally:
    found = {name.decode(): int(count) for name, count in pairs_of(counted)}
    return Tally(**{name: found.get(name, 0) for name in _ADDED_UP})
