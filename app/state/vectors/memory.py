"""
Vectors of questions in the memory of this process, searched linearly by numpy.

A thousand vectors of 1536 numbers take half a millisecond and six megabytes. Imported only if they are used.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from app.core.caching.semantic import Near

_Rows: TypeAlias = npt.NDArray[np.float32]

_ROOM: Final = 8  # rows of a new space


class MemoryVectors:
    """
    An index of at most `vectors_max` vectors; the least recently used spaces are dropped first, as a whole.
    """

    def __init__(self, vectors_max: int) -> None:
        self._vectors_max = vectors_max
        self._spaces: OrderedDict[str, _Space] = OrderedDict()
        self._count = 0

    def add(self, space: str, key: str, vector: Sequence[float], kept_s: float) -> None:  # noqa: ARG002 - see `forget`
        """Add a question; if its vector has another length than those before, the space starts anew."""
        row = _unit(vector)
        if row is None:
            return
        found = self._spaces.get(space)
        if found is None or found.width != len(row):
            self._drop(space)
            found = self._spaces[space] = _Space(len(row))
        self._count += found.put(key, row)
        self._spaces.move_to_end(space)
        while self._count > self._vectors_max:
            oldest = next(iter(self._spaces))
            if oldest == space:
                self._count -= found.drop_first()
            else:
                self._drop(oldest)

    async def nearest(self, space: str, vector: Sequence[float]) -> Near | None:
        """Return the most similar question; None if there is none in this space."""
        found, row = self._spaces.get(space), _unit(vector)
        if found is None or row is None or found.width != len(row):
            return None
        self._spaces.move_to_end(space)
        return found.nearest(row)

    def forget(self, space: str, key: str) -> None:
        """Remove a question whose answer is gone."""
        found = self._spaces.get(space)
        if found is not None:
            self._count -= found.drop(key)
            if not found.keys:
                del self._spaces[space]

    def purge(self, prefix: str) -> None:
        """Remove the questions whose answers have keys with this prefix."""
        for space, found in list(self._spaces.items()):
            for key in [key for key in found.keys if key.startswith(prefix)]:
                self.forget(space, key)

    def _drop(self, space: str) -> None:
        found = self._spaces.pop(space, None)
        if found is not None:
            self._count -= len(found.keys)


class _Space:
    """The vectors of one space, in the order in which they came; `rows` has room for more of them."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.keys: list[str] = []
        self._rows: _Rows = np.empty((_ROOM, width), np.float32)

    def put(self, key: str, row: _Rows) -> int:
        """Add or replace a row; return the growth in rows."""
        if key in self.keys:
            self._rows[self.keys.index(key)] = row
            return 0
        if len(self.keys) == len(self._rows):
            self._rows = np.concatenate((self._rows, np.empty_like(self._rows)))
        self._rows[len(self.keys)] = row
        self.keys.append(key)
        return 1

    def nearest(self, row: _Rows) -> Near | None:
        """Return the best match."""
        if not self.keys:
            return None
        similarities = self._rows[: len(self.keys)] @ row
        best = int(similarities.argmax())
        return Near(self.keys[best], min(1.0, float(similarities[best])))

    def drop(self, key: str) -> int:
        """Remove a row; return the number of removed rows."""
        if key not in self.keys:
            return 0
        place = self.keys.index(key)
        self._rows[place : len(self.keys) - 1] = self._rows[place + 1 : len(self.keys)]
        del self.keys[place]
        return 1

    def drop_first(self) -> int:
        """Remove the oldest row."""
        return self.drop(self.keys[0])


def _unit(vector: Sequence[float]) -> _Rows | None:
    """Normalize to length 1; return None for a vector of zeros."""
    row = np.asarray(vector, np.float32)
    length = float(np.linalg.norm(row))
    if not np.isfinite(length) or length == 0.0:
        return None
    return row / np.float32(length)
