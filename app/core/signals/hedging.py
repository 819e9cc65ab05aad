"""A second target that is asked while the first is silent."""

from __future__ import annotations

from typing import TypeAlias

import msgspec


class HedgeStarted(msgspec.Struct, frozen=True):
    """A second target was asked because the first was silent for `delay_s`; both are `provider/model`."""

    request_id: str
    origin: str
    onward: str
    delay_s: float


class HedgeEnded(msgspec.Struct, frozen=True):
    """
    It is known what a hedge was good for.

    `outcome` is won (the second target answered), lost (the first did), failed (neither) or abandoned (the call ended
    before either had).
    """

    request_id: str
    origin: str
    onward: str
    outcome: str


HedgingSignal: TypeAlias = HedgeStarted | HedgeEnded
