"""
Vectors of questions in Redis, for all replicas: one vector set for each space, where the server has those (Redis 8).

All of them have one hash tag, so that how many there are can be bounded exactly. They are not quantized: rounding would
move what is near the threshold.
"""

from __future__ import annotations

import hashlib
import math
from array import array
from collections.abc import Sequence
from typing import Final

from app.core.caching.semantic import Near, VectorIndex
from app.state.link import Command, Follower, Link, StateLostError, decision, unheeded

_DIGEST_CHARS: Final = 16  # of the model's name: vectors of another model are nothing to compare with


class VectorSets(Follower):
    """The way to them; follows `link`, and asks each Redis that it gets to know whether it has vector sets."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.tag = f"{{{link.key_prefix}:cache:vectors}}:"
        self.kept = f"{self.tag}kept"
        self._has_them: bool | None = None
        link.follow(self)

    @property
    def usable(self) -> bool:
        """Say whether there are vector sets that can be asked now."""
        return self.link.up and self._has_them is True

    async def beat(self) -> None:
        """Find out whether the server has vector sets, if it may be another one than before."""
        if self._has_them is None:
            self._has_them = bool(await self.link.submit(decision("vectors_probe", (f"{self.tag}none",))))

    def lost(self) -> None:
        """Ask again: what comes back may be another server."""
        self._has_them = None


class SharedVectors:
    """
    The `VectorIndex` of one model on vector sets; on `local` as long as they cannot be used.

    `vectors_max` bounds the vectors of all replicas and models together.
    """

    def __init__(self, sets: VectorSets, model: str, vectors_max: int, local: VectorIndex) -> None:
        self._sets = sets
        self._model = hashlib.sha256(model.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_CHARS]
        self._vectors_max = vectors_max
        self._local = local

    def add(self, space: str, key: str, vector: Sequence[float], kept_s: float) -> None:
        """Remember a question; does not wait for that."""
        sets, packed = self._sets, _packed(vector)
        if not sets.usable:
            self._local.add(space, key, vector, kept_s)
        elif packed is not None:
            name = self._name(space)
            arguments = (sets.tag, name, key, packed, max(1, round(kept_s * 1000)), self._vectors_max)
            unheeded(sets.link.submit(decision("vectors_add", (sets.tag + name, sets.kept), *arguments)))

    async def nearest(self, space: str, vector: Sequence[float]) -> Near | None:
        """Return the most similar question; None if there is none in this space, or Redis does not say."""
        sets, packed = self._sets, _packed(vector)
        if not sets.usable:
            return await self._local.nearest(space, vector)
        if packed is None:
            return None
        asked = sets.link.submit(decision("vectors_nearest", (sets.tag + self._name(space),), packed))
        try:
            found = await sets.link.ask(asked)
        except StateLostError:
            return None
        return Near(found[0].decode(), min(1.0, 2.0 * float(found[1]) - 1.0)) if found else None

    def forget(self, space: str, key: str) -> None:
        """Forget a question whose answer is gone; does not wait for that."""
        sets, name = self._sets, self._name(space)
        self._local.forget(space, key)
        if sets.usable:
            unheeded(sets.link.submit(Command(("VREM", sets.tag + name, key))))
            unheeded(sets.link.submit(Command(("ZREM", sets.kept, f"{name} {key}"))))

    def purge(self, prefix: str) -> None:
        """Forget the questions whose answers have keys that begin so; does not wait for that."""
        sets = self._sets
        self._local.purge(prefix)
        if sets.usable:
            unheeded(sets.link.submit(decision("vectors_purge", (sets.kept,), sets.tag, prefix)))

    def _name(self, space: str) -> str:
        return f"{self._model}:{space}"


def _packed(vector: Sequence[float]) -> bytes | None:
    """Return a vector of length 1 as Redis takes it; None for one that points nowhere."""
    length = math.hypot(*vector)
    if not math.isfinite(length) or length == 0.0:
        return None
    return array("f", [number / length for number in vector]).tobytes()
