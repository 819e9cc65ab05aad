"""
What the interpreter does for one call, counted: the same number on every run, however busy the machine.

CPU time on a shared core moves by tens of percent; what is executed does not. So a change of one function call shows,
which no timing can tell from noise. Counts belong to a version of Python, whose compiler and library they depend on.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

import msgspec

from loadtests.own_code import App, Exchange, request_scope

_WARM_UP: Final = 3
_TIMES: Final = 5
_OK: Final = 200


class StillClock:
    """The machine's time, which stands still: no window ends and nothing is refilled between two calls."""

    def __init__(self) -> None:
        self.now = float(time.monotonic()).conjugate  # a function in C, as that of the system's clock is
        self.wall = float(time.time()).conjugate

    async def sleep(self, seconds: float) -> None:
        """Wait on the running loop."""
        await asyncio.sleep(seconds)


class Counts(msgspec.Struct, frozen=True, order=True):
    """
    What one call makes the interpreter do.

    Executed bytecode instructions; calls of Python functions, with each time that a coroutine goes on; calls of
    functions written in C, without those that the interpreter makes by itself (an operator, a type that is called).
    """

    opcodes: int
    calls: int
    c_calls: int

    def less(self, other: Counts, share: int = 1) -> Counts:
        """Return what is more here than in `other`, divided by `share`, down to whole ones."""
        return Counts(
            (self.opcodes - other.opcodes) // share,
            (self.calls - other.calls) // share,
            (self.c_calls - other.c_calls) // share,
        )


async def counts(app: App, body: bytes, headers: Sequence[tuple[bytes, bytes]] = ()) -> Counts:
    """
    Return what `app` does for `body`, with the few calls of the exchange around it; `headers` come on top.

    Some calls do more than others (a window of time that ends, a batch of the log that is due): of several, the least
    of each figure. To be run on uvloop: asyncio's own loop is Python, and its work for others would be counted.
    Raises `AssertionError` if an answer is not a complete 200.
    """
    for _ in range(_WARM_UP):
        await _answered(app, body, headers)
    with _no_garbage():
        found = [await _once(app, body, headers) for _ in range(_TIMES)]
    return Counts(
        min(each.opcodes for each in found), min(each.calls for each in found), min(each.c_calls for each in found)
    )


async def _once(app: App, body: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Counts:
    opcodes, events = 0, {"call": 0, "c_call": 0}

    def trace(frame: FrameType, event: str, _argument: object) -> Callable[..., Any]:
        nonlocal opcodes
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        opcodes += event == "opcode"
        return trace

    def profile(_frame: FrameType, event: str, _argument: object) -> None:
        if event in events:
            events[event] += 1

    await _with(sys.gettrace, sys.settrace, trace, _answered(app, body, headers))
    await _with(sys.getprofile, sys.setprofile, profile, _answered(app, body, headers))
    return Counts(opcodes, events["call"], events["c_call"])


async def _with(
    installed: Callable[[], Any], install: Callable[[Any], None], watcher: Callable[..., Any], work: Awaitable[None]
) -> None:
    """Await `work` while `watcher` watches; whoever watched before (coverage does) goes on afterwards."""
    before = installed()
    install(watcher)
    try:
        await work
    finally:
        install(before)


async def _answered(app: App, body: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
    scope = request_scope(body)
    scope["headers"] += headers
    exchange = Exchange(body)
    await app(scope, exchange.receive, exchange.send)
    assert exchange.status == _OK
    assert exchange.ended


@contextmanager
def _no_garbage() -> Iterator[None]:
    """Collect now and not meanwhile: what is collected may have a finalizer in Python."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
