"""Counts what runs at the same time under a name, up to a bound. Belongs to the process, so that reloads keep count."""

from __future__ import annotations


class Slots:
    """Places in use, by name. A name without places in use takes no memory."""

    def __init__(self) -> None:
        self._used: dict[str, int] = {}

    def take(self, name: str, most: int) -> bool:
        """Take a place if fewer than `most` are in use, and say whether that was so; give it back once."""
        used = self._used.get(name, 0)
        if used >= most:
            return False
        self._used[name] = used + 1
        return True

    def give_back(self, name: str) -> None:
        """Free a place that was taken."""
        left = self._used[name] - 1
        if left:
            self._used[name] = left
        else:
            del self._used[name]
