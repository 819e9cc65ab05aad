"""Signals of redaction and guards: the kind and number of findings, never the text that was found."""

from __future__ import annotations

from app.core.signals.signal import Signal


class Redacted(Signal, frozen=True):
    """
    A detector matched `count` times in the prompt or the answer of a call (`side`).

    Emitted once per detector, for an answer at its end; `action` is what was done with the matches.
    """

    request_id: str
    side: str
    detector: str
    action: str
    count: int


class GuardComplained(Signal, frozen=True):
    """
    A guard objected to a call's prompt or answer (`side`).

    `action` is observe, flag, block, or retry (another answer was requested). `reason` is a fixed word of the guard.
    """

    request_id: str
    guard: str
    side: str
    action: str
    reason: str
    score: float
