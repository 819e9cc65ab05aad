"""Virtual keys created at run time, in the memory of this process."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from app.core.keys.store import key_exists, no_such_key
from app.core.keys.virtual_keys import Found, KeyTable, VirtualKey


class LocalKeys:
    """The `KeyStore` of one process."""

    persistent = False

    def __init__(self) -> None:
        self._table = KeyTable()

    def find(self, digests: Iterable[bytes], now_wall: float) -> Found:
        """Find the key whose secret has one of `digests`."""
        return self._table.find(digests, now_wall)

    def every(self) -> list[VirtualKey]:
        """Return all keys."""
        return list(self._table)

    async def add(self, key: VirtualKey) -> None:
        """Store a new key at once."""
        if self._table.has(key):
            raise key_exists()
        self._table.put(key)

    async def change(self, key_id: str, step: Callable[[VirtualKey], VirtualKey]) -> VirtualKey:
        """Change a key at once."""
        found = self._table.get(key_id)
        if found is None:
            raise no_such_key(key_id)
        changed = step(found)
        self._table.put(changed)
        return changed
