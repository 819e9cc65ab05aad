"""Signals of redaction and guards: the kind of findings and their number, never their text."""

from __future__ import annotations

from app.core.signals.signal import Signal


class Redacted(Signal, frozen=True):
    """
    A detector has findings on one side of a call: in its prompt or in its answer.

    Sent once for each detector, for an answer at its end; `action` is what was done with the findings.
    """

    request_id: str
    side: str
    detector: str
    action: str
    count: int


class GuardComplained(Signal, frozen=True):
    """
    A guard complained of a call's prompt or answer (`side`).

    `action` is what was done: observe, flag, block, or retry (another answer was requested). `reason` is a fixed word
    of the guard.
    """

    request_id: str
    guard: str
    side: str
    action: str
    reason: str
    score: float
