"""
What becomes of a call whose client leaves: it ends at once, or its answer is read to its end all the same.

An answer that is read on costs what it would have cost anyway, and is settled exactly, cached and added to its session.
How many may be at the same time is bounded, because nobody waits for them. A stream that can be resumed goes on for a
while in any case: its client may come back.
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
    Which calls go on without their clients.

    `drains` says for each route by its name whether its answers are read on, and `otherwise` for models that have no
    route of their own; `drain_max` is how many at the same time. With `resume` streams can be resumed.
    """

    drains: Mapping[str, bool]
    otherwise: bool
    drain_max: int
    resume: TapeBounds | None = None

    def drained(self, model: str) -> bool:
        """Say whether answers of a model, as a caller names it, are read on."""
        name = model if model in self.drains else slashed(model)
        if name in self.drains:
            return self.drains[name]
        wild = Wildcards(self.drains)
        matched = wild.match(name, bare=False) or wild.match(name, bare=True)
        return self.otherwise if matched is None else self.drains[matched.route]


class Departure:
    """
    Decides for one call, once its client leaves.

    Whoever can end the call binds that; `over` has to be called once the call has ended. `slots` are those of the calls
    of a process that go on without their clients.
    """

    def __init__(self, call: Call, options: DisconnectOptions, slots: Slots, listener: Listener) -> None:
        self._call = call
        self._options = options
        self._slots = slots
        self._listener = listener
        self._give_up: Callable[[], None] = lambda: None  # there is nobody yet to be told
        self._detach = self._give_up
        self._tape: Tape | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._gone = self._holds = False

    @property
    def resume(self) -> TapeBounds | None:
        """Return the bounds for streams that can be resumed; None if none can be."""
        return self._options.resume

    def bind(self, give_up: Callable[[], None]) -> None:
        """Let `give_up` be called when a call that went on without its client is to end after all."""
        self._give_up = give_up

    def record(self, tape: Tape, detach: Callable[[], None]) -> None:
        """Take note that the stream can be resumed from `tape`; whoever does so takes it over from the client."""
        self._tape, self._detach = tape, detach
        tape.watcher = self

    def left(self) -> bool:
        """
        Say whether the call goes on although its client has left.

        One that has asked no provider yet does not: there is no answer to read, and nothing to pay for.
        """
        if self._gone or self._call.journal.over:  # what is left to be done is done in no time
            return True
        self._gone = True
        if self._tape is not None and self._tape.ending is None:
            self.deserted()
            return True
        return self._drain()

    def joined(self) -> None:
        """Take note that somebody resumes the stream: its first client gets no more of it."""
        self._gone = True
        self._call.journal.left = False
        self._stop_waiting()
        self._detach()

    def deserted(self) -> None:
        """Take note that nobody reads the stream, and wait for somebody to resume it."""
        if self._call.journal.over:
            return
        self._call.journal.left = True
        self._listener(ClientLeft(self._call.id, drained=True))
        if self._tape is not None and not self._holds:
            self._timer = asyncio.get_running_loop().call_later(self._tape.bounds.window_s, self._go_without)

    def lost(self) -> None:
        """Take note that the stream cannot be resumed any more."""
        if self._gone:
            self._stop_waiting()
            self._go_without()

    def over(self) -> None:
        """Take note that the call has ended."""
        self._stop_waiting()
        if self._tape is not None:
            self._tape.watcher = None
            self._tape.end(TapeEnd.BROKEN)  # unless it has come to its end
        if self._holds:
            self._slots.give_back(_DRAIN)

    def _go_without(self) -> None:
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
