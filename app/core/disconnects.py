"""
Decide whether a call continues when its client disconnects: it ends, or its answer is drained (read to its end).

A drained answer costs what it would have cost anyway, and is settled exactly, cached and added to its session. The
number of concurrent drains is bounded, because no client waits for them. A stream that can be resumed always continues
for a while, since its client may come back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from app.core.allow_list import slashed
from app.core.call import Call
from app.core.routing.wildcards import Wildcards
from app.core.signals import ClientLeft, Listener
from app.core.tapes import Tape, TapeBounds, TapeEnd
from app.core.traffic.memory import Slots

_DRAIN: Final = "drain"  # the name of the slots


class DisconnectOptions(msgspec.Struct, frozen=True):
    """
    Which calls continue without their clients.

    `drains` is whether answers are drained, by the name of the route, and `otherwise` that for models without a route;
    `drain_max` limits concurrent drains. With `resume` streams can be resumed.
    """

    drains: Mapping[str, bool]
    otherwise: bool
    drain_max: int
    resume: TapeBounds | None = None

    def drained(self, model: str) -> bool:
        """Return whether answers of a model are drained; `model` is the name in the request."""
        name = model if model in self.drains else slashed(model)
        if name in self.drains:
            return self.drains[name]
        wild = Wildcards(self.drains)
        matched = wild.match(name, bare=False) or wild.match(name, bare=True)
        return self.otherwise if matched is None else self.drains[matched.route]


class Departure:
    """
    Decides for one call whether it continues once its client has left.

    `bind` sets what ends the call; `over` has to be called once the call has ended. `slots` limits the drains of a
    process.
    """

    def __init__(self, call: Call, options: DisconnectOptions, slots: Slots, listener: Listener) -> None:
        self._call = call
        self._options = options
        self._slots = slots
        self._listener = listener
        self._give_up: Callable[[], None] = lambda: None  # until `bind` is called
        self._detach = self._give_up
        self._tape: Tape | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._gone = self._holds = False

    @property
    def resume(self) -> TapeBounds | None:
        """Return the bounds for streams that can be resumed; None if none can be."""
        return self._options.resume

    def bind(self, give_up: Callable[[], None]) -> None:
        """Set what to call when a call that continued without its client has to end after all."""
        self._give_up = give_up

    def record(self, tape: Tape, detach: Callable[[], None]) -> None:
        """Make the stream resumable from `tape`; `detach` is called on resumption, to disconnect the first client."""
        self._tape, self._detach = tape, detach
        tape.watcher = self

    def left(self) -> bool:
        """
        Return whether the call continues although its client has left.

        A call without attempts at a provider does not: there is no answer to drain, and nothing to pay for.
        """
        if self._gone or self._call.journal.over:  # a call that is over has almost nothing left to do
            return True
        self._gone = True
        if self._tape is not None and self._tape.ending is None:
            self.deserted()
            return True
        return self._drain()

    def joined(self) -> None:
        """Handle a reader that resumes the stream: the first client gets no more of it."""
        self._gone = True
        self._call.journal.left = False
        self._stop_waiting()
        self._detach()

    def deserted(self) -> None:
        """Handle a stream without readers: wait for one to resume it."""
        if self._call.journal.over:
            return
        self._call.journal.left = True
        self._listener(ClientLeft(self._call.id, drained=True))
        if self._tape is not None and not self._holds:
            self._timer = asyncio.get_running_loop().call_later(self._tape.bounds.window_s, self._drain_or_give_up)

    def lost(self) -> None:
        """Handle a stream that cannot be resumed any more."""
        if self._gone:
            self._stop_waiting()
            self._drain_or_give_up()

    def over(self) -> None:
        """Release what the call holds, since it has ended."""
        self._stop_waiting()
        if self._tape is not None:
            self._tape.watcher = None
            self._tape.end(TapeEnd.BROKEN)  # no effect if the tape is complete
        if self._holds:
            self._slots.give_back(_DRAIN)

    def _drain_or_give_up(self) -> None:
        if not self._holds and not self._drain():
            self._give_up()

    def _drain(self) -> bool:
        call = self._call
        if not call.journal.attempts or not self._options.drained(call.request.model):
            return False
        self._holds = self._slots.take(_DRAIN, self._options.drain_max)
        if self._holds:
            call.journal.left = True
        self._listener(ClientLeft(call.id, drained=self._holds))
        return self._holds

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
