"""How fast an answer came, so that it can come so again."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final

from app.core.caching.stored import Pace
from app.core.clock import Clock
from app.core.model import StreamEvent
from app.core.stream import Batch

_MARKS_MAX: Final = 64  # a pace is a curve, not a protocol


class Stopwatch:
    """Notes when the events of a stream come; `observe` belongs into `EventStream.observe`."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._bytes = 0
        self._began: float | None = None
        self._marks: list[tuple[float, int]] = []

    def observe(self, batch: Batch) -> None:
        """Take the next events."""
        now = self._now()
        if self._began is None:
            self._began = now
        self._bytes += sum([len(event.frame) for event in batch])
        self._marks.append((now - self._began, self._bytes))
        if len(self._marks) >= 2 * _MARKS_MAX:
            del self._marks[1::2]

    def pace(self) -> Pace:
        """Return the pace up to now."""
        return tuple([(seconds, count / self._bytes) for seconds, count in self._marks]) if self._bytes else ()


async def paced(events: Sequence[StreamEvent], pace: Pace, clock: Clock) -> AsyncGenerator[Batch, None]:
    """Give out events at the pace at which an answer of the same size once came; those of one moment come together."""
    began, total, so_far = clock.now(), sum([len(event.frame) for event in events]), 0
    shares = [share for _, share in pace]
    waiting: list[StreamEvent] = []
    for event in events:
        so_far += len(event.frame)
        due = began + pace[min(bisect_left(shares, so_far / total), len(pace) - 1)][0]
        if due > clock.now():
            yield waiting
            waiting = []
            await clock.sleep(max(0.0, due - clock.now()))  # whoever reads slowly has waited already
        waiting.append(event)
    if waiting:
        yield waiting
