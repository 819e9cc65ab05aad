"""Signals of providers: circuits, API keys, rate limits, health, and the built-in model."""

from __future__ import annotations

from typing import Final

from app.core.signals.signal import Signal


class KeySetAside(Signal, frozen=True):
    """
    One of a provider's several keys is not used for `pause_s`.

    `position` is its number in the configuration, from 1; `reason` is rate_limited, refused or quota_spent.
    """

    provider: str
    position: int
    reason: str
    pause_s: float


class ProviderLimitNear(Signal, frozen=True):
    """
    A provider reported that less than a tenth of one of its own rate limits is left.

    Emitted once, until much more is left again. `measure` is requests or tokens; `remaining` of `most` are left.
    """

    provider: str
    model: str
    measure: str
    remaining: int
    most: int


class ProviderHealthChanged(Signal, frozen=True):
    """A provider went down or came back up; `code` is the error code of the failure that took it down."""

    provider: str
    up: bool
    code: str


class LocalModelChanged(Signal, frozen=True):
    """The process of the built-in model is ready, died or was given up; `reason` is a fixed phrase."""

    state: str
    reason: str


ELSEWHERE: Final = "elsewhere"  # the reason of a change that another replica made, and has reported itself


class CircuitChanged(Signal, frozen=True):
    """
    The state of a target's circuit changed; `before` and `now` are closed, half_open or open.

    `reason` is a fixed word: failures, probing, probe_failed, recovered, forced (by an operator), elsewhere (another
    replica made the change) or forgotten. `failures` of `calls` failed in the window that opened it; `open_s` is the
    minimum time that it stays open. `request_id` is the call whose outcome caused the change, if there is one.
    """

    provider: str
    model: str
    before: str
    now: str
    reason: str
    failures: int = 0
    calls: int = 0
    open_s: float | None = None
    request_id: str = ""
