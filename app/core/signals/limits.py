"""Signals of admission control and rate limits: calls that are queued, shed or refused."""

from __future__ import annotations

from app.core.signals.signal import Signal


class CallQueued(Signal, frozen=True):
    """A call entered the admission queue, to wait until another call ends."""

    priority: str


class CallUnqueued(Signal, frozen=True):
    """A call left the admission queue: admitted, shed or abandoned."""

    priority: str
    wait_s: float


class CallShed(Signal, frozen=True):
    """A call was refused for lack of capacity; `reason` is queue_full, pushed_out or too_late."""

    request_id: str
    priority: str
    reason: str


class Overloaded(Signal, frozen=True):
    """Calls are being shed; emitted once per second at most. `refused` counts those since the previous signal."""

    refused: int
    waiting: int
    in_flight: int
    limit: int


class AdmissionLimitChanged(Signal, frozen=True):
    """The number of calls that may be in flight at the same time has changed to `limit`."""

    limit: int


class LimitExceeded(Signal, frozen=True):
    """
    A rate limit refused a call, or would have refused it if it were not in `shadow` mode.

    `measure` is requests, tokens or concurrency; after `wait_s` the call would fit (None: unknown, or never).
    """

    request_id: str
    limit: str
    measure: str
    wait_s: float | None
    shadow: bool
