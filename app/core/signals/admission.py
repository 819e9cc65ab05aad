"""Who has to wait at the gateway's door, and who is sent away."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class CallQueued(msgspec.Struct, frozen=True):
    """A call has to wait until another one ends."""

    priority: str


class CallUnqueued(msgspec.Struct, frozen=True):
    """A call waits no more, whatever became of it."""

    priority: str
    wait_s: float


class CallShed(msgspec.Struct, frozen=True):
    """The gateway has no room for a call; `reason` is queue_full, pushed_out or too_late."""

    request_id: str
    priority: str
    reason: str


class Overloaded(msgspec.Struct, frozen=True):
    """Calls are being shed; sent once per second at most. `refused` counts those since the last time."""

    refused: int
    waiting: int
    in_flight: int
    limit: int


class AdmissionLimitChanged(msgspec.Struct, frozen=True):
    """So many calls may be worked on at the same time from now on."""

    limit: int


AdmissionSignal: TypeAlias = CallQueued | CallUnqueued | CallShed | Overloaded | AdmissionLimitChanged
