"""The key sets of a process; in a module of its own, as one that takes no tokens has no use for cryptography."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it imports all of cryptography, 8 MB
    from app.identity.key_set import KeySet


class KeySets:
    """The key sets of this process by address, so that a reload forgets none."""

    def __init__(self) -> None:
        self._sets: dict[str, KeySet] = {}

    def of(self, url: str, made: Callable[[], KeySet]) -> KeySet:
        """Return the key set behind `url`, which is `made` if it is new."""
        if url not in self._sets:
            self._sets[url] = made()
        return self._sets[url]

    def warm(self) -> None:
        """Begin to fetch what nobody has asked for yet."""
        for key_set in self._sets.values():
            key_set.renew(0.0)

    async def aclose(self) -> None:
        """End what is under way."""
        for key_set in self._sets.values():
            await key_set.aclose()
