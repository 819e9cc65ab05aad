"""Answers that broke off after the client had seen a part of them."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class StreamRecovered(msgspec.Struct, frozen=True):
    """
    Another target goes on with an answer that broke off; both are `provider/model`.

    `code` names the error's row, and `chars` is how much the client had seen.
    """

    request_id: str
    origin: str
    onward: str
    code: str
    chars: int


class StreamNotRecovered(msgspec.Struct, frozen=True):
    """
    An answer of a route that recovers broke off and nobody goes on with it.

    `reason` is unfit (the client has seen something else than text), spent (it broke off often enough before),
    unable (no other target can go on) or failed (those that can were asked, and failed).
    """

    request_id: str
    origin: str
    code: str
    reason: str


RecoverySignal: TypeAlias = StreamRecovered | StreamNotRecovered
