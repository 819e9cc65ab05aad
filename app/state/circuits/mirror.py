"""One replica's copy of the shared circuits, as of the last beat or a later answer."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from app.core.circuits import CircuitState
from app.core.signals import ELSEWHERE
from app.state.circuits.circuit import Reading
from app.state.circuits.memory import Means

FULL_S = 0.2  # after all probe slots were taken, calls do not ask again for this long
CLOSED = Reading(CircuitState.CLOSED, 0, 0, forced=False, failures=0, calls=0, age_ms=0)


class _Seen(msgspec.Struct, frozen=True):
    """A circuit at the time `at`, and the time until which calls are refused without asking Redis."""

    reading: Reading
    at: float
    refuses_until: float

    def by(self, now: float) -> Reading:
        """Return its present state, unless it was changed elsewhere."""
        passed_ms = round((now - self.at) * 1000)
        reading = self.reading
        wait_ms = max(0, reading.wait_ms - passed_ms)
        return msgspec.structs.replace(reading, wait_ms=wait_ms, age_ms=reading.age_ms + passed_ms)


class Mirror:
    """The circuits that are, or were, not closed; passes changes to the announcer."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._seen: dict[str, _Seen] = {}

    def generation(self, name: str) -> int | None:
        """Return the generation of a circuit that is closed; None for any other."""
        seen = self._seen.get(name)
        if seen is None:
            return 0
        return seen.reading.generation if seen.reading.state is CircuitState.CLOSED else None

    def refusal(self, name: str) -> Reading | None:
        """Return a circuit that certainly refuses a call; None if Redis has to be asked."""
        seen, now = self._seen[name], self._means.clock.now()
        return seen.by(now) if now < seen.refuses_until else None

    def readings(self) -> dict[str, Reading]:
        """Return the present state of every circuit; safe in other threads."""
        now = self._means.clock.now()
        return {name: seen.by(now) for name, seen in dict(self._seen).items()}

    def renew(self, found: Mapping[str, Reading]) -> None:
        """Replace everything by the state in Redis."""
        for name in {*self._seen, *self._means.announcer.told()} - found.keys():
            self._seen.pop(name, None)
            self._means.announcer.changed(name, CLOSED, ELSEWHERE)
        for name, reading in found.items():
            self.take(name, reading, ELSEWHERE)

    def take(self, name: str, reading: Reading, cause: str | None, request_id: str = "") -> None:
        """Apply a newer reading; `cause` is None if a decision of this process caused it."""
        if cause is None and reading.age_ms > 0:  # another replica caused it
            self._means.announcer.changed(name, reading, ELSEWHERE)
        else:
            self._means.announcer.changed(name, reading, cause, request_id)
        if reading.state is CircuitState.CLOSED and reading.generation == 0:
            self._seen.pop(name, None)
        else:
            now = self._means.clock.now()
            self._seen[name] = _Seen(reading, now, self._refuses_until(name, reading, now, asked=cause is None))

    def _refuses_until(self, name: str, reading: Reading, now: float, *, asked: bool) -> float:
        if reading.state is CircuitState.OPEN:
            return math.inf if reading.forced else now + reading.wait_ms / 1000
        if reading.state is CircuitState.HALF_OPEN and reading.slot is None:
            if asked:
                return now + FULL_S
            before = self._seen.get(name)
            if before is not None and before.reading.state is CircuitState.HALF_OPEN:
                return before.refuses_until
        return now
