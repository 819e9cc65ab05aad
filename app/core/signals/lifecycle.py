"""How the process ends, and what becomes of its workers."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class DrainStarted(msgspec.Struct, frozen=True):
    """The process was told to end; it takes calls for another `window_s` seconds, with `in_flight` requests open."""

    in_flight: int
    window_s: float


class DrainEnded(msgspec.Struct, frozen=True):
    """Nothing is open any more; `cut` requests had to be cut off after `lasted_s`."""

    cut: int
    lasted_s: float


class WorkerReplaced(msgspec.Struct, frozen=True):
    """
    A worker process was or is being replaced by another one.

    `reason` is died, hung, failed (it could not start), requests or memory (it was due to be recycled). `exit_code` is
    None while it still ends.
    """

    pid: int
    reason: str
    exit_code: int | None


LifecycleSignal: TypeAlias = DrainStarted | DrainEnded | WorkerReplaced
