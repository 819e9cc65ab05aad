"""
What becomes of a call whose client leaves: it ends at once, or its answer is read to its end all the same.

An answer that is read on costs what it would have cost anyway, and is settled exactly, cached and added to its session.
How many may be at the same time is bounded, because nobody waits for them.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from app.core.call import Call
from app.core.signals import ClientLeft, Listener
from app.core.wildcards import Wildcards


class LeavingOptions(msgspec.Struct, frozen=True):
    """
    Which calls go on without their clients.

    `drains` says for each route by its name whether its answers are read on, and `otherwise` for models that have no
    route of their own; `drain_max` is how many at the same time.
    """

    drains: Mapping[str, bool]
    otherwise: bool
    drain_max: int

    def drained(self, model: str) -> bool:
        """Say whether answers of a model, as a caller names it, are read on."""
        name = model if model in self.drains else model.replace(":", "/", 1)
        if name in self.drains:
            return self.drains[name]
        wild = Wildcards(self.drains)
        matched = wild.match(name, bare=False) or wild.match(name, bare=True)
        return self.otherwise if matched is None else self.drains[matched.route]


class Departures:
    """The calls of one process that go on without their clients."""

    def __init__(self) -> None:
        self._draining = 0

    def begin(self, most: int) -> bool:
        """Take a place for one more, if there is one among `most`."""
        if self._draining >= most:
            return False
        self._draining += 1
        return True

    def end(self) -> None:
        """Give a place back."""
        self._draining -= 1


class Departure:
    """Decides for one call, once its client leaves. To be told with `over` that the call has ended."""

    def __init__(self, call: Call, options: LeavingOptions, departures: Departures, listener: Listener) -> None:
        self._call = call
        self._options = options
        self._departures = departures
        self._listener = listener

    def left(self) -> bool:
        """
        Say whether the call goes on although its client has left.

        One that has asked no provider yet does not: there is no answer to read, and nothing to pay for.
        """
        call = self._call
        if not call.journal.attempts or not self._options.drained(call.request.model):
            return False
        stays = call.journal.left = self._departures.begin(self._options.drain_max)
        self._listener(ClientLeft(call.id, drained=stays))
        return stays

    def over(self) -> None:
        """Take note that the call has ended."""
        if self._call.journal.left:
            self._departures.end()
