"""Signals of providers: their circuits, their keys, their health, and the built-in model."""

from __future__ import annotations

from typing import Final

from app.core.signals.signal import Signal


class KeySetAside(Signal, frozen=True):
    """
    One of a provider's several keys is not used for `pause_s`.

    `position` counts the keys in the configuration from 1; `reason` is rate_limited, refused or quota_spent.
    """

    provider: str
    position: int
    reason: str
    pause_s: float


class ProviderLimitNear(Signal, frozen=True):
    """
    A provider reported that less than a tenth of one of its limits is left; sent once until a fifth is left again.

    `measure` is requests or tokens; `remaining` of `most` are left.
    """

    provider: str
    model: str
    measure: str
    remaining: int
    most: int


class ProviderHealthChanged(Signal, frozen=True):
    """A provider went down, or is up again; `code` is that of the failure that took it down."""

    provider: str
    up: bool
    code: str


class LocalModelChanged(Signal, frozen=True):
    """The process of the built-in model started, died or was given up; `reason` is a fixed phrase."""

    state: str
    reason: str


ELSEWHERE: Final = "elsewhere"  # the reason of a change that another replica decided and reported


class CircuitChanged(Signal, frozen=True):
    """
    A target's circuit changed its state; `before` and `now` are closed, half_open or open.

    `reason` is a fixed word: failures, probing, probe_failed, recovered, forced (by an operator), elsewhere (another
    replica decided it) or forgotten. `failures` of `calls` failed in the window that opened it; `open_s` is the least
    time that it stays open. `request_id` is that of the call whose end caused the change, if there is one.
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
