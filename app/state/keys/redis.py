"""
Virtual keys in Redis, with a copy of all of them in this process.

Calls need no round trip: the copy is as old as the last beat of the link. While Redis is out of reach the copy stays in
use (`fail: local`), or keys that exist only in Redis are refused with 503 (`closed`). Redis is the only store: if it
loses its data, these keys are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Literal

import msgspec

from app.core.errors import CONFLICT, GatewayError
from app.core.keys.store import key_exists, no_such_key
from app.core.keys.virtual_keys import UNDECIDED, Found, KeyTable, Standing, VirtualKey
from app.state.link import Command, Follower, Link, StateLostError, Submit, decision, out_of_reach

KEYS_MAX: Final = 100_000  # about 100 MB in each process
FORGOTTEN_AFTER_S: Final = 30 * 86_400.0  # how long operators see keys that are no longer valid
_PAGE = 500
_TRIES = 5
_CONFLICT, _FULL = 0, -1


class _Copy:
    """The keys of one collection in Redis (`epoch` names it), up to the change `known`."""

    def __init__(self, epoch: bytes) -> None:
        self.epoch = epoch
        self.known = 0
        self.table = KeyTable()
        self.versions: dict[str, int] = {}

    def take(self, key: VirtualKey, version: int) -> None:
        """Add or replace a key from Redis."""
        self.known = max(self.known, version)
        if version > self.versions.get(key.id, 0):
            self.stored(key, version)

    def stored(self, key: VirtualKey, version: int) -> None:
        """Add a key that was stored just now, so that the next beat brings nothing new."""
        self.versions[key.id] = version
        self.table.put(key)


class SharedKeys(Follower):
    """The `KeyStore` of one replica among several; follows `link`."""

    persistent = True

    def __init__(self, link: Link, fail: Literal["local", "closed"]) -> None:
        self._link = link
        self._fail = fail
        tag = f"{{{link.key_prefix}:keys}}"
        self._names = (f"{tag}:records", f"{tag}:versions", f"{tag}:state", f"{tag}:dead")
        self._copy = _Copy(b"")
        link.follow(self)

    def find(self, digests: Iterable[bytes], now_wall: float) -> Found:
        """Find the key whose secret has one of `digests`, in the copy."""
        found = self._copy.table.find(digests, now_wall)
        if self._link.up or (self._fail == "local" and (self._copy.epoch or found.standing is not Standing.UNKNOWN)):
            return found
        return UNDECIDED

    def every(self) -> list[VirtualKey]:
        """Return all keys of the copy."""
        return list(self._copy.table)

    async def add(self, key: VirtualKey) -> None:
        """Store a new key for every replica."""
        if self._copy.table.has(key) or await self._store(key, 0) == _CONFLICT:
            raise key_exists()

    async def change(self, key_id: str, step: Callable[[VirtualKey], VirtualKey]) -> VirtualKey:
        """Change a key for every replica; reads it again first if another replica changed it meanwhile."""
        for _ in range(_TRIES):
            found = self._copy.table.get(key_id)
            if found is None:
                await self._caught_up()
                found = self._copy.table.get(key_id)
            if found is None:
                raise no_such_key(key_id)
            changed = step(found)
            if await self._store(changed, self._copy.versions[key_id]) != _CONFLICT:
                return changed
            await self._caught_up()
        raise GatewayError(CONFLICT, "The key is being changed by others all the time.", suggestion="Try again.")

    async def beat(self) -> None:
        """Apply the changes of replicas, or read everything if the collection in Redis is another one."""
        await self._read(self._link.submit)

    async def _read(self, ask: Submit) -> None:
        epoch, rows = await self._page(ask, self._copy.known)
        copy = self._copy
        if epoch != copy.epoch:
            copy = _Copy(epoch)  # used once it is complete, so that nobody is refused meanwhile
            _, rows = await self._page(ask, 0)
        while True:
            for version, packed in rows:
                copy.take(msgspec.msgpack.decode(packed, type=VirtualKey), version)
            if len(rows) < _PAGE:
                break
            _, rows = await self._page(ask, copy.known)
        self._copy = copy

    async def _page(self, ask: Submit, known: int) -> tuple[bytes, list[Any]]:
        epoch, *rows = await ask(decision("keys_list", self._names[:3], known, _PAGE))
        return epoch, rows

    async def _store(self, key: VirtualKey, before: int) -> int:
        """Return the key's version, or `_CONFLICT`."""
        packed = msgspec.msgpack.encode(key)
        last = _last_second(key)
        forgotten = "" if last is None else int(last + FORGOTTEN_AFTER_S)
        put = decision("keys_put", self._names, key.id, packed, before, forgotten, KEYS_MAX)
        version: int = await self._asked(put)
        if version == _FULL:
            raise GatewayError(CONFLICT, f"There are {KEYS_MAX} keys already.", suggestion="Revoke keys of no use.")
        if version > 0:
            self._copy.stored(key, version)
        return version

    async def _caught_up(self) -> None:
        try:
            await self._read(self._link.operate)
        except StateLostError as error:
            raise _unreachable() from error

    async def _asked(self, command: Command) -> Any:  # noqa: ANN401 - as redis-py returns it
        try:
            return await self._link.operate(command)
        except StateLostError as error:
            raise _unreachable() from error


def _last_second(key: VirtualKey) -> float | None:
    """Return when a key ends or ended; None for a key of the configuration file, revoked or not."""
    ends = [moment for moment in (key.revoked, key.expires) if moment is not None]
    return None if key.in_file or not ends else min(ends)


def _unreachable() -> GatewayError:
    return out_of_reach("The keys are kept in", "; nothing was changed")
