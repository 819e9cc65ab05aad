"""
The stories of calls: each signal that names a call becomes a step, whatever feature sent it.

A listener; what it hears of a call is put together until the call has ended.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final, Protocol

import msgspec

from app.core.call import Call
from app.core.clock import Clock
from app.core.request_log import Fact, RequestEntry, Step
from app.core.signals import CallEnded, CallRefused, CallStarted, Listener, Signal

STEPS_MAX: Final = 100  # more happens to no call that somebody could still follow
_UNTOLD: Final = frozenset({"request_id", "usage", "trace"})  # known, or more than a fact
_WORD = re.compile(r"(?<!^)(?=[A-Z])")


class _Story:
    """What happened to one call so far; `call` is there once its caller is known."""

    __slots__ = ("_clock", "began", "call", "shared", "steps")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.began = clock.now()
        self.call: Call | None = None
        self.steps: list[Step] = []
        self.shared = False

    def tell(self, signal: Signal) -> None:
        if not self.shared and len(self.steps) < STEPS_MAX:
            at_ms = _ms(self._clock.now() - self.began)
            self.steps.append(Step(at_ms, name_of(signal), facts_of(signal)))

    def share(self) -> None:
        """Take note that another call has the same id: from now on, nobody can say whose steps these are."""
        self.shared = True
        self.steps.clear()


class Hearing(Protocol):
    """Where listeners come and go."""

    def add(self, *listeners: Listener) -> None:
        """Tell these, too, from the next signal on."""

    def remove(self, listener: Listener) -> None:
        """Tell a listener no more."""


class DecisionTraces:
    """
    The stories of the calls that are being worked on.

    Args:
        clock: Measures when things happen.

        ended: Told of each call that is over. None if nobody keeps them: then only those are followed that `follow` is
            asked for, and signals are listened to only as long as there are any.

        hearing: Where signals can be heard in that case.
    """

    def __init__(self, clock: Clock, hearing: Hearing, ended: Callable[[RequestEntry], None] | None = None) -> None:
        self._clock = clock
        self._hearing = hearing
        self._ended = ended
        self._open: dict[str, list[_Story]] = {}

    def follow(self, call: Call) -> list[Step]:
        """Return the steps of a call whose caller is known, to which more are added until it has ended."""
        stories = self._open.get(call.id, ())
        story = next((story for story in stories if story.call is None), None)
        if story is None:
            if not self._open and self._ended is None:
                self._hearing.add(self)
            story = self._begin(call.id)
            story.began = call.started
        story.call = call
        return story.steps

    def __call__(self, signal: Signal) -> None:
        """Take note of a signal that names a call."""
        match signal:
            case CallStarted():
                if self._ended is not None:
                    self._begin(signal.request_id)
            case CallRefused():
                if self._ended is not None:
                    self._ended(_refused(signal, self._clock.wall()))
            case CallEnded():
                self._close(signal)
            case _:
                stories = self._open.get(getattr(signal, "request_id", ""))
                if stories is not None:
                    stories[0].tell(signal)

    def _begin(self, request_id: str) -> _Story:
        story = _Story(self._clock)
        stories = self._open.setdefault(request_id, [])
        stories.append(story)
        if len(stories) > 1:
            for each in stories:
                each.share()
        return story

    def _close(self, signal: CallEnded) -> None:
        stories = self._open.get(signal.request_id)
        if stories is None:
            return
        story = stories.pop(0)  # of several it may be another one's; what matters is that none stays open
        if not stories:
            del self._open[signal.request_id]
        if self._ended is not None:
            self._ended(_entry(signal, story, self._clock.wall()))
        elif not self._open:
            self._hearing.remove(self)


def facts_of(signal: Signal) -> dict[str, Fact]:
    """Return what a signal says besides which call it is about."""
    return {name: getattr(signal, name) for name in signal.__struct_fields__ if name not in _UNTOLD}


def name_of(signal: Signal) -> str:
    """Return the signal's type in words joined by underscores."""
    return _name(type(signal))


def _refused(signal: CallRefused, at: float) -> RequestEntry:
    return RequestEntry(
        id=signal.request_id,
        at=round(at, 6),
        endpoint=signal.endpoint,
        model="",
        stream=False,
        outcome="refused",
        status=signal.status,
        duration_ms=0.0,
        overhead_ms=0.0,
        code=signal.code,
    )


def _entry(signal: CallEnded, story: _Story, at: float) -> RequestEntry:
    usage = signal.usage
    entry = RequestEntry(
        id=signal.request_id,
        at=round(at, 6),
        endpoint=signal.endpoint,
        model=signal.model,
        stream=signal.stream,
        outcome=signal.outcome,
        status=signal.status,
        duration_ms=_ms(signal.duration_s),
        overhead_ms=_ms(signal.overhead_s),
        attempts=signal.attempts,
        position=signal.position,
        provider=signal.provider,
        target_model=signal.target_model,
        code=signal.code,
        kind=signal.category,
        first_token_ms=None if signal.first_token_s is None else _ms(signal.first_token_s),
        tokens_per_s=None if signal.tokens_per_s is None else round(signal.tokens_per_s, 1),
        prompt_tokens=None if usage is None else usage.prompt_tokens,
        completion_tokens=None if usage is None else usage.completion_tokens,
        cost_usd=signal.cost_usd,
        trace_id=signal.trace_id,
        shared=story.shared,
        steps=tuple(story.steps),
    )
    return entry if story.call is None or story.shared else _with_caller(entry, story.call)


def _with_caller(entry: RequestEntry, call: Call) -> RequestEntry:
    caller = call.caller
    return msgspec.structs.replace(
        entry,
        cache=call.journal.cache,
        key=caller.id if caller.known else "",
        team=caller.team or "",
        user=caller.user or "",
        session=call.options.session or "",
        tags=(*caller.tags, *call.options.tags),
    )


@lru_cache(maxsize=256)  # there are a few dozen kinds
def _name(kind: type[Signal]) -> str:
    return _WORD.sub("_", kind.__name__).lower()


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
