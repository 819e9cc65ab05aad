"""Parts of one metric: a total that signals add to, and a level that signals set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Self, TypeVar

from app.core.signals import Signal
from app.telemetry.metrics.families import CounterFamily, Family, GaugeFamily, Labels, Merge
from app.telemetry.metrics.part import Counted, counted
from app.telemetry.metrics.targets import OTHER, fit

S = TypeVar("S", bound=Signal)


def _no_labels(_signal: object) -> Labels:
    return ()


def _one(_signal: object) -> float:
    return 1


class Counter:
    """A total for each set of label values; without labels it is shown from the start."""

    def __init__(self, name: str, text: str, labels: Labels = ()) -> None:
        self._name, self._text, self._labels = name, text, labels
        self._rows: dict[Labels, float] = {} if labels else {(): 0}
        self._free = self._most = 0
        self._counts: list[Counted] = []

    def showing(self, *values: str) -> Self:
        """Show these values of the only label from the start, at zero."""
        self._rows.update(dict.fromkeys([(value,) for value in values], 0))
        return self

    def bounded(self, most: int, free: int = 1) -> Self:
        """Beyond `most` rows, replace the first `free` labels, which callers can choose freely, by `other`."""
        self._most, self._free = most, free
        return self

    def add(
        self, kind: type[S], labels: Callable[[S], Labels] = _no_labels, number: Callable[[S], float] = _one
    ) -> Self:
        """Count signals of type `kind`: each adds `number` (1 by default) to the row with its `labels`."""

        def count(signal: S) -> None:
            more, row = number(signal), labels(signal)
            if not more:
                return
            if row not in self._rows and self._free and not (len(self._rows) < self._most and all(map(fit, row))):
                row = (OTHER,) * self._free + row[self._free :]
            self._rows[row] = self._rows.get(row, 0) + more

        self._counts.append(counted(kind, count))
        return self

    def counts(self) -> Iterable[Counted]:
        """Return the functions that count."""
        return self._counts

    def families(self) -> Iterator[Family]:
        """Yield the total."""
        yield CounterFamily(self._name, self._text, self._labels, list(self._rows.items()))


class Level:
    """A number without labels, initially 0; of several workers, the highest is shown."""

    def __init__(self, name: str, text: str) -> None:
        self._name, self._text = name, text
        self._level: float = 0
        self._counts: list[Counted] = []

    def set(self, kind: type[S], level: Callable[[S], float]) -> Self:
        """Set the level at each signal of type `kind`."""

        def count(signal: S) -> None:
            self._level = level(signal)

        self._counts.append(counted(kind, count))
        return self

    def counts(self) -> Iterable[Counted]:
        """Return the functions that set it."""
        return self._counts

    def families(self) -> Iterator[Family]:
        """Yield the level."""
        yield GaugeFamily(self._name, self._text, (), [((), self._level)], Merge.MAX)
