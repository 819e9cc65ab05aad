"""What circuits do."""

from __future__ import annotations

from typing import Final, TypeAlias

import msgspec

ELSEWHERE: Final = "elsewhere"  # the reason of a change that another replica decided, and reported as its own


class CircuitChanged(msgspec.Struct, frozen=True):
    """
    A target's circuit changed its state; `before` and `now` are closed, half_open or open.

    `reason` is a fixed word: failures, probing, probe_failed, recovered, forced (by an operator), elsewhere (another
    replica decided it) or forgotten. `failures` of `calls` ended badly in the window that opened it; `open_s` is how
    long it stays open at least. `request_id` names the call whose ending brought the change, if there is one.
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


CircuitSignal: TypeAlias = CircuitChanged
