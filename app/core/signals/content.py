"""What redaction and guards found: what kind of thing, and how often, and never what."""

from __future__ import annotations

from app.core.signals.signal import Signal


class Redacted(Signal, frozen=True):
    """
    One side of a call, its prompt or its answer, held things that a detector looks for.

    Sent once for each detector, for an answer at its end; `action` is what became of them.
    """

    request_id: str
    side: str
    detector: str
    action: str
    count: int


class GuardComplained(Signal, frozen=True):
    """
    A guard had something against a call's prompt or its answer (`side`).

    `action` is what became of it: observe, flag, block, or retry for an answer that was asked for again. `reason` is a
    fixed word of the guard.
    """

    request_id: str
    guard: str
    side: str
    action: str
    reason: str
    score: float
