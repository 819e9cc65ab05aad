"""Cache entries: what is stored of an answer, and for how long."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from app.core.call import Journal, Target
from app.core.model import Completion

Pace: TypeAlias = tuple[tuple[float, float], ...]  # seconds since the first event, and the share that had come by then

_OVERHEAD_BYTES: Final = 1024  # of the objects around an answer, measured with tracemalloc


class Origin(msgspec.Struct, frozen=True):
    """Where an answer came from; response headers report it each time the answer is served."""

    target: Target | None = None
    position: int = 0
    dropped: tuple[str, ...] = ()

    @classmethod
    def of(cls, journal: Journal) -> Origin:
        """Return the origin recorded in the journal of the call that was answered."""
        return cls(journal.target, journal.position, journal.dropped)

    def tell(self, journal: Journal) -> None:
        """Write the origin into the journal of another call."""
        journal.target, journal.position, journal.dropped = self.target, self.position, self.dropped


class Stored(msgspec.Struct, frozen=True):
    """
    One stored answer.

    `born_s` is the wall-clock time at which it was complete; it is fresh for `fresh_s` and kept for `kept_s`, as stale
    answers may be served, too. `model` is the requested one; `origin` has the target that answered. `pace` is how fast
    the stream came; empty if not recorded.
    """

    completion: Completion
    model: str
    origin: Origin
    born_s: float
    fresh_s: float
    kept_s: float
    pace: Pace = ()

    @property
    def size_bytes(self) -> int:
        """Return an estimate of the memory it takes."""
        completion = self.completion
        size = len(completion.raw) + _OVERHEAD_BYTES
        return size if completion.native is None else size + len(completion.native.raw)

    @property
    def gone_s(self) -> float:
        """Return the wall-clock time at which it is to be deleted."""
        return self.born_s + self.kept_s

    @property
    def label(self) -> Label:
        """Return its metadata."""
        target = self.origin.target
        names = (self.model,) if target is None else (self.model, target.name, target.model)
        return Label(names, self.born_s, self.fresh_s, self.size_bytes)

    def age_s(self, wall_s: float) -> float:
        """Return its age; at least 0, even if the clock of the machine that stored it is ahead."""
        return max(0.0, wall_s - self.born_s)


class Label(msgspec.Struct, frozen=True):
    """The metadata of a stored answer; `models` are the names that a `Selection` may use for it."""

    models: tuple[str, ...]
    born_s: float
    fresh_s: float
    size_bytes: int


class Selection(msgspec.Struct, frozen=True):
    """Which stored answers an operator selects: those that meet every condition given; all if there is none."""

    model: str | None = None
    prefix: str | None = None
    key: str | None = None
    expired: bool = False

    def covers(self, key: str, label: Label, wall_s: float) -> bool:
        """Return whether the answer under `key` is selected."""
        return (
            (self.key is None or key == self.key)
            and (self.prefix is None or key.startswith(self.prefix))
            and (self.model is None or self.model in label.models)
            and (not self.expired or wall_s - label.born_s >= label.fresh_s)
        )
