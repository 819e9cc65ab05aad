"""The cache's state in this process that outlives a configuration."""

from __future__ import annotations

from importlib import import_module

from app.core.caching.ports import CacheView, ShelfView, Tally
from app.core.caching.semantic import VectorIndex
from app.core.caching.single_flight import Flights
from app.core.caching.stored import Selection
from app.core.clock import Clock
from app.state.answers.memory import MemoryShelf, ShelfBounds
from app.state.answers.sharing import ReplicatedAnswers
from app.state.vectors.redis import SharedVectors, VectorSets


class Caching:
    """
    The state of the cache across reloads: stored answers, single-flight calls in progress, counts.

    `shared` is the part that replicas share, if they do, and `vector_sets` where they can share vectors.
    """

    def __init__(self) -> None:
        self.flights = Flights()
        self.tally = Tally()
        self.shared: ReplicatedAnswers | None = None
        self.vector_sets: VectorSets | None = None
        self.shelf: MemoryShelf | None = None
        self._index: VectorIndex | None = None
        self._indexed = ("", 0)

    def stocked(self, bounds: ShelfBounds, clock: Clock) -> MemoryShelf:
        """Return the store of answers, with new bounds."""
        if self.shelf is None:
            self.shelf = MemoryShelf(bounds, clock)
            if self.shared is not None:
                self.shared.watch(self.shelf, self.tally)
        self.shelf.renew(bounds)
        return self.shelf

    def compared(self, model: str, vectors_max: int) -> VectorIndex:
        """Return the index of questions; a new one for another model, whose vectors are not comparable."""
        if self._index is None or self._indexed != (model, vectors_max):
            made: VectorIndex = import_module("app.state.vectors.memory").MemoryVectors(vectors_max)  # needs numpy
            if self.vector_sets is not None:
                made = SharedVectors(self.vector_sets, model, vectors_max, made)
            self._index, self._indexed = made, (model, vectors_max)
        return self._index

    def purge(self, selection: Selection) -> None:
        """Forget questions by the keys of their answers; other selections are noticed when an answer is missing."""
        if self._index is not None and selection.model is None and not selection.expired:
            self._index.purge(selection.key or selection.prefix or "")

    def view(self) -> ShelfView | None:
        """Return the size of the store; None if there is none yet."""
        return None if self.shelf is None else self.shelf.view()


class LocalDesk:
    """Shows and clears the cache, local and shared."""

    def __init__(self, shelf: MemoryShelf, caching: Caching) -> None:
        self._shelf = shelf
        self._caching = caching

    async def view(self) -> CacheView:
        """Return its size and counts."""
        caching, shelf = self._caching, self._shelf
        shared = caching.shared
        seen = None if shared is None or shared.without is not None else await shared.view()
        return CacheView("memory" if shared is None else "redis", caching.tally, shelf.view(), shelf.oldest_s(), seen)

    async def remove(self, selection: Selection) -> int:
        """Forget the selected answers, everywhere."""
        self._caching.purge(selection)
        here = self._shelf.remove(selection)
        shared = self._caching.shared
        return here if shared is None else await shared.remove(selection)
