"""
Statistics of targets, measured on the gateway's own traffic: calls in flight, latency, reliability.

They belong to the process, not to a configuration, so that a reload loses nothing and calls in flight stay counted.
"""

from __future__ import annotations

import math
from collections import deque

# Half of what was learned is forgotten after 20 s: models are slow and calls few, so Finagle's 10 s would forget
# between two calls.
DECAY_S = 30.0
UNKNOWN_S = 1.0  # assumed latency of a target until its first answer; also Tower's default
FAILURE_S = 10.0  # minimum latency counted for a failure, or a target that fails fast would look fast
FAILURE_MAX_S = 300.0  # the usual total timeout: no answer is slower
KNOWN_MIN = 20  # values before a percentile means anything: the 95th is then that of the slowest but one
_RECENT_MAX = 100
_OUTCOME_SHARE = 0.1  # of the newest outcome in the reliability: about the last 20 calls count
_TARGETS_MAX = 4096  # clients can name any model of a provider, so the table must be bounded


class PeakEwma:
    """
    A moving average of seconds that jumps to every peak and forgets with time, as in Finagle and Tower.

    Without new values it decays towards zero, so that a slow target is eventually tried again.
    """

    def __init__(self) -> None:
        self._value: float | None = None
        self._stamp = 0.0

    def read(self, now: float) -> float | None:
        """Return the estimate in seconds; None before the first value."""
        return None if self._value is None else self._value * self._kept(now)

    def add(self, seconds: float, now: float) -> None:
        """Take a value into account."""
        kept, value = self._kept(now), self._value
        if value is None or seconds > value * kept:
            self._value = seconds
        else:
            self._value = value * kept + seconds * (1.0 - kept)
        self._stamp = max(self._stamp, now)

    def _kept(self, now: float) -> float:
        return math.exp((self._stamp - now) / DECAY_S) if now > self._stamp else 1.0


class Recent:
    """
    The last hundred values, for their percentiles.

    A wait that ended without an answer is a value too small by an unknown amount. It counts from the median on, where
    it says "slow", and not below, where it would say "fast". Otherwise the slowest answers, which are the ones that
    are given up, would be missing.
    """

    def __init__(self) -> None:
        self._values: deque[float] = deque(maxlen=_RECENT_MAX)
        self.add = self._values.append  # takes note of a value

    def waited(self, seconds: float) -> None:
        """Record a lower bound: the value is larger than `seconds`."""
        median = self.percentile(0.5)
        if median is not None and seconds >= median:
            self.add(seconds)

    def percentile(self, share: float) -> float | None:
        """Return the value that `share` (0 to 1) of all do not exceed; None while fewer than `KNOWN_MIN` are known."""
        if len(self._values) < KNOWN_MIN:
            return None
        return sorted(self._values)[max(0, math.ceil(share * len(self._values)) - 1)]


class Load:
    """
    The statistics of one target. Only the stage that measures attempts writes them.

    `in_flight` counts attempts up to their last byte; `reliability` is between 1 (never failed) and 0, and valid once
    the target was `judged`.
    """

    def __init__(self) -> None:
        self.in_flight = 0
        self.reliability = 1.0
        self.judged = False
        self._averages = {False: PeakEwma(), True: PeakEwma()}  # of whole answers, and of first tokens of streams
        self._recent = {False: Recent(), True: Recent()}

    def latency_s(self, *, stream: bool, now: float) -> float | None:
        """Return the time to the first token of a stream, or to a whole answer; None while there was none."""
        return self._averages[stream].read(now)

    def percentile_s(self, share: float, *, stream: bool) -> float | None:
        """Return within what time `share` of the last answers came, as above; None while too little is known."""
        return self._recent[stream].percentile(share)

    def answered(self, seconds: float, *, stream: bool, now: float) -> None:
        """Record the time to a whole answer or to the first token of a stream."""
        self._averages[stream].add(seconds, now)
        self._recent[stream].add(seconds)

    def waited(self, seconds: float, *, stream: bool, now: float) -> None:
        """Note that nothing came within `seconds`: the truth is longer, so this can only raise the estimates."""
        known = self.latency_s(stream=stream, now=now)
        if seconds > (UNKNOWN_S if known is None else known):
            self._averages[stream].add(seconds, now)
        self._recent[stream].waited(seconds)

    def failed(self, seconds: float, *, stream: bool, now: float) -> None:
        """Note a failure after `seconds` as an answer that was much slower than usual."""
        known = self.latency_s(stream=stream, now=now) or 0.0
        self._averages[stream].add(min(max(seconds, FAILURE_S, 2.0 * known), FAILURE_MAX_S), now)

    def judge(self, *, good: bool) -> None:
        """Update the reliability with the result of one attempt."""
        self.judged = True
        self.reliability += _OUTCOME_SHARE * (float(good) - self.reliability)


class Loads:
    """One load per target; idle targets unused for longest are forgotten first."""

    def __init__(self) -> None:
        self._loads: dict[str, Load] = {}

    def of(self, target: str) -> Load:
        """Return the load of the target named `provider/model`, to be written to."""
        load = self._loads.pop(target, None) or Load()
        self._loads[target] = load
        if len(self._loads) > _TARGETS_MAX:
            idle = (name for name, known in self._loads.items() if known.in_flight == 0 and name != target)
            del self._loads[next(idle, target)]
        return load

    def seen(self, target: str) -> Load:
        """Return the load of a target for reading; a new one is not stored."""
        return self._loads.get(target) or Load()

    def reliabilities(self) -> list[tuple[str, float]]:
        """Return the reliability of each judged target; thread-safe."""
        return [(name, load.reliability) for name, load in list(self._loads.items()) if load.judged]
