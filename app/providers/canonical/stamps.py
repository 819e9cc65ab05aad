"""What an answer needs that some providers do not send: an id and a time. Both come from what is injected."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from app.core.ports import Chance

_ID_RANGE = 2**52  # as many as a float in [0, 1) tells apart


class Stamp(msgspec.Struct, frozen=True):
    """The head of one answer: its id, the Unix time of its making, and the model that it names."""

    id: str
    created: int
    model: str


class Mint(msgspec.Struct, frozen=True):
    """Makes stamps and ids; `wall` is Unix time in seconds."""

    wall: Callable[[], float]
    chance: Chance

    def stamp(self, model: str, given_id: str = "") -> Stamp:
        """Return the head of an answer of `model`, under the provider's own id if it gave one."""
        return Stamp(given_id or self.fresh("chatcmpl-"), int(self.wall()), model)

    def fresh(self, prefix: str) -> str:
        """Return a new id, as `call_0123456789abc`."""
        return f"{prefix}{int(self.chance() * _ID_RANGE):013x}"
