"""What guards had against calls: who, on which side, and in a word why."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class GuardComplained(msgspec.Struct, frozen=True):
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


GuardSignal: TypeAlias = GuardComplained
