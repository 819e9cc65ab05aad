"""The key sets of a process. A separate module, so a process without tokens does not import cryptography."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imports cryptography, 8 MB
    from app.identity.key_set import KeySet


class KeySets:
    """The key sets of this process by address; they survive reloads."""

    def __init__(self) -> None:
        self._sets: dict[str, KeySet] = {}

    def of(self, url: str, made: Callable[[], KeySet]) -> KeySet:
        """Return the key set of `url`, created with `made` on first use."""
        if url not in self._sets:
            self._sets[url] = made()
        return self._sets[url]

    def warm(self) -> None:
        """Start fetching the key sets, without waiting for the first token."""
        for key_set in self._sets.values():
            key_set.renew(0.0)

    async def aclose(self) -> None:
        """Cancel running fetches."""
        for key_set in self._sets.values():
            await key_set.aclose()
