"""What is kept of an answer, and for how long."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

from app.core.call import Journal, Target
from app.core.model import Completion

Pace: TypeAlias = tuple[tuple[float, float], ...]  # seconds since the first event, and the share that had come by then

_OVERHEAD_BYTES: Final = 1024  # of the objects around an answer, measured with tracemalloc


class Origin(msgspec.Struct, frozen=True):
    """Where an answer came from: what the headers say of it again whenever it is given."""

    target: Target | None = None
    position: int = 0
    dropped: tuple[str, ...] = ()

    @classmethod
    def of(cls, journal: Journal) -> Origin:
        """Read it from the journal of the call that was answered."""
        return cls(journal.target, journal.position, journal.dropped)

    def tell(self, journal: Journal) -> None:
        """Write it into the journal of another call."""
        journal.target, journal.position, journal.dropped = self.target, self.position, self.dropped


class Stored(msgspec.Struct, frozen=True):
    """
    One stored answer.

    `born_s` is the time of day at which it was complete; it is fresh for `fresh_s`, and kept for `kept_s`, because a
    stale one may be wanted, too. `model` is what was asked for, `target` who answered. `pace` says how fast it came, if
    anybody will want to know.
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
        """Return how much memory it takes, about."""
        completion = self.completion
        size = len(completion.raw) + _OVERHEAD_BYTES
        return size if completion.native is None else size + len(completion.native.raw)

    @property
    def gone_s(self) -> float:
        """Return the time of day from which it is of no use."""
        return self.born_s + self.kept_s

    @property
    def label(self) -> Label:
        """Return what there is to know of it without its text."""
        target = self.origin.target
        names = (self.model,) if target is None else (self.model, target.name, target.model)
        return Label(names, self.born_s, self.fresh_s, self.size_bytes)

    def age_s(self, wall_s: float) -> float:
        """Return how old it is; never less than nothing, whatever another machine's clock says."""
        return max(0.0, wall_s - self.born_s)


class Label(msgspec.Struct, frozen=True):
    """What there is to know of a stored answer without its text; `models` are the names under which it may be meant."""

    models: tuple[str, ...]
    born_s: float
    fresh_s: float
    size_bytes: int


class Selection(msgspec.Struct, frozen=True):
    """Which stored answers an operator means; without any condition, all. Every condition that is given must hold."""

    model: str | None = None
    prefix: str | None = None
    key: str | None = None
    expired: bool = False

    def covers(self, key: str, label: Label, wall_s: float) -> bool:
        """Say whether the answer under `key` is meant."""
        return (
            (self.key is None or key == self.key)
            and (self.prefix is None or key.startswith(self.prefix))
            and (self.model is None or self.model in label.models)
            and (not self.expired or wall_s - label.born_s >= label.fresh_s)
        )
