"""The stored answers of this process and everything around them that outlives a configuration."""

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
    What there is to the cache between configurations: the shelf, the flights under way, what was counted.

    `shared` is what replicas have in common, if they have, and `vector_sets` where they can share vectors.
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
        """Return the shelf, with these bounds from now on."""
        if self.shelf is None:
            self.shelf = MemoryShelf(bounds, clock)
            if self.shared is not None:
                self.shared.watch(self.shelf, self.tally)
        self.shelf.renew(bounds)
        return self.shelf

    def compared(self, model: str, vectors_max: int) -> VectorIndex:
        """Return the index of questions; vectors of another model are nothing to compare with, so it is a new one."""
        if self._index is None or self._indexed != (model, vectors_max):
            made: VectorIndex = import_module("app.state.vectors.memory").MemoryVectors(vectors_max)  # needs numpy
            if self.vector_sets is not None:
                made = SharedVectors(self.vector_sets, model, vectors_max, made)
            self._index, self._indexed = made, (model, vectors_max)
        return self._index

    def purge(self, selection: Selection) -> None:
        """Forget questions by the keys of their answers; by what else is known of an answer, once one is missed."""
        if self._index is not None and selection.model is None and not selection.expired:
            self._index.purge(selection.key or selection.prefix or "")

    def view(self) -> ShelfView | None:
        """Return how full the shelf is; None as long as there is none."""
        return None if self.shelf is None else self.shelf.view()


class LocalDesk:
    """Shows and clears the cache, here and where it is shared."""

    def __init__(self, shelf: MemoryShelf, caching: Caching) -> None:
        self._shelf = shelf
        self._caching = caching

    async def view(self) -> CacheView:
        """Return how full it is and how well it does."""
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
