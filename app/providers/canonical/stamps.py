"""Generates ids and times for answers of providers that send none, from an injected clock and random source."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from app.core.ports import Chance

_ID_RANGE = 2**52  # a float in [0, 1) distinguishes that many values


class Stamp(msgspec.Struct, frozen=True):
    """The head of one answer: its id, Unix time in seconds, and model."""

    id: str
    created: int
    model: str


class Mint(msgspec.Struct, frozen=True):
    """Makes stamps and ids; `wall` is Unix time in seconds."""

    wall: Callable[[], float]
    chance: Chance

    def stamp(self, model: str, given_id: str = "") -> Stamp:
        """Return the head of an answer of `model`, with the provider's own id if it sent one."""
        return Stamp(given_id or self.fresh("chatcmpl-"), int(self.wall()), model)

    def fresh(self, prefix: str) -> str:
        """Return a new id, such as `call_0123456789abc`."""
        return f"{prefix}{int(self.chance() * _ID_RANGE):013x}"
