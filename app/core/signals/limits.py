"""Signals of admission control and rate limits: calls that are queued, shed or refused."""

from __future__ import annotations

from app.core.signals.signal import Signal


class CallQueued(Signal, frozen=True):
    """A call has to wait until another one ends."""

    priority: str


class CallUnqueued(Signal, frozen=True):
    """A call left the queue, admitted or not."""

    priority: str
    wait_s: float


class CallShed(Signal, frozen=True):
    """The gateway has no room for a call; `reason` is queue_full, pushed_out or too_late."""

    request_id: str
    priority: str
    reason: str


class Overloaded(Signal, frozen=True):
    """Calls are being shed; sent once per second at most. `refused` counts those since the last time."""

    refused: int
    waiting: int
    in_flight: int
    limit: int


class AdmissionLimitChanged(Signal, frozen=True):
    """The limit of concurrent calls changed."""

    limit: int


class LimitExceeded(Signal, frozen=True):
    """
    A rule refused a call, or would have if it were not in `shadow` mode.

    `measure` is requests, tokens or concurrency; after `wait_s` the call would fit (None: unknown, or never).
    """

    request_id: str
    limit: str
    measure: str
    wait_s: float | None
    shadow: bool
