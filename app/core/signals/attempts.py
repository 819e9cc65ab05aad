"""What a call does beyond a first try at a first target."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class AttemptEnded(msgspec.Struct, frozen=True):
    """
    One try at one target ended; for a stream, after its last byte.

    `outcome` is completed, failed, refused (the request was wrong, not the target) or abandoned; `code` names the
    error's row, or is empty.
    """

    request_id: str
    provider: str
    model: str
    outcome: str
    code: str


class RetryScheduled(msgspec.Struct, frozen=True):
    """The same target will be tried again after a pause; `attempt` is the one that failed, counted from 1."""

    request_id: str
    provider: str
    model: str
    code: str
    category: str
    attempt: int
    pause_s: float


class FellBack(msgspec.Struct, frozen=True):
    """A target was given up for the next one; both are `provider/model`."""

    request_id: str
    origin: str
    onward: str
    code: str


AttemptSignal: TypeAlias = AttemptEnded | RetryScheduled | FellBack
