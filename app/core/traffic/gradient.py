"""
A limit of calls at the same time that follows how fast answers come: Gradient2 of Netflix's concurrency-limits.

Answers that take longer than usual mean that calls wait for each other further on, so fewer are let in; answers as
quick as usual let in a few more. "Usual" is a long average. Streams are judged by their first token and compared with
streams only, whole answers with whole answers.
"""

from __future__ import annotations

LIMIT_MIN = 4  # fewer would starve the measurement itself; Netflix's 20 is for calls of milliseconds
LIMIT_START = 20  # this and the constants below are Netflix's
_HEADROOM = 4  # calls above the limit that are tried out while answers stay quick
_SMOOTHING = 0.2  # of a new estimate in the limit
_GRADIENT_MIN = 0.5  # one slow answer never takes more than half
_LONG_SAMPLES = 600
_FIRST_SAMPLES = 10  # averaged as they are, so that the very first is not believed for long
_DRIFT = 2.0  # a long average so many times above the present one is a memory of trouble that is over ...
_DRIFT_STEP = 0.9  # ... and sinks by this, each time


class Gradient:
    """The limit. Starts at `LIMIT_START`, and stays between `LIMIT_MIN` and the most that it is told."""

    def __init__(self) -> None:
        self._limit = float(LIMIT_START)
        self._usual = {False: _LongAverage(), True: _LongAverage()}

    def limit(self, most: int) -> int:
        """Return the present limit, at most `most`."""
        return min(int(self._limit), most)

    def learn(self, seconds: float, *, stream: bool, in_flight: int, most: int) -> None:
        """
        Take an answer into account.

        Args:
            seconds: To the first token of a stream, or to the whole answer.

            stream: Which of the two.

            in_flight: Calls inside when this one began, itself included.

            most: The largest limit allowed.
        """
        usual = self._usual[stream].add(seconds)
        limit = min(self._limit, most)
        if in_flight < limit / 2:
            return  # too few calls to learn from: that it is quick now does not say how it is with many
        gradient = max(_GRADIENT_MIN, min(1.0, usual / seconds)) if seconds > 0 else 1.0
        wanted = limit * gradient + _HEADROOM
        self._limit = max(LIMIT_MIN, min(most, limit + _SMOOTHING * (wanted - limit)))


class _LongAverage:
    """A moving average over the last few hundred values."""

    def __init__(self) -> None:
        self._value = 0.0
        self._count = 0

    def add(self, value: float) -> float:
        """Take a value in, and return the average with it."""
        self._count += 1
        share = 1 / self._count if self._count <= _FIRST_SAMPLES else 2 / (_LONG_SAMPLES + 1)
        self._value += share * (value - self._value)
        average = self._value
        if average > _DRIFT * value:
            self._value *= _DRIFT_STEP
        return average
