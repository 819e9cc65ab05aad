"""What tests of the reading are made of: virtual time, an answer that follows a script, and a guard."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, ParamSpec

import pytest

from app.core.errors import GatewayError
from app.providers.openai.codec import OpenAiCodec
from app.providers.reading import EventReading, ReadGuard
from tests.support.calls import asking
from tests.support.virtual_time import START_S, VirtualTimeLoop

P = ParamSpec("P")
HELLO = b'data: {"choices":[{"delta":{"content":"Hello"}}]}\n\n'
STOP = b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
FOREVER_S = 1e9


def on_virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run an asynchronous test on a loop on which waiting takes no time."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run


class ScriptedReply:
    """
    An answer whose body is bytes, pauses in seconds and failures; `log` lists what was read of it.

    `there` is the body of one that came whole.
    """

    def __init__(self, *script: bytes | float | GatewayError, there: bytes | None = None) -> None:
        self._script = script
        self._there = there
        self.log: list[object] = []

    @property
    def status(self) -> int:
        """Return the HTTP status."""
        return 200

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers."""
        return {}

    def rest(self) -> bytes | None:
        """Return the body that came whole."""
        return self._there

    async def chunks(self) -> AsyncIterator[bytes]:
        """Play the script."""
        try:
            for item in self._script:
                if isinstance(item, GatewayError):
                    raise item
                if isinstance(item, float):
                    await asyncio.sleep(item)
                else:
                    self.log.append(item)
                    yield item
            self.log.append("end")
        finally:
            self.log.append("left")

    async def aclose(self) -> None:
        """Do nothing: whoever asked closes."""


def guard(idle_s: float = 10.0, total_s: float = 1000.0) -> ReadGuard:
    """Return a guard that starts now."""
    return ReadGuard(idle_s, START_S + total_s)


def events(reply: ScriptedReply, watch: ReadGuard | None = None) -> EventReading:
    """Read `reply` as an event stream."""
    return EventReading(reply, OpenAiCodec().decoder(asking()), watch or guard(), lambda error: error)


async def failure_of(reading: Coroutine[Any, Any, Any]) -> GatewayError:
    """Await a reading that must fail."""
    with pytest.raises(GatewayError) as caught:
        await reading
    return caught.value


def now() -> float:
    """Return the seconds since the start of the test."""
    return asyncio.get_running_loop().time() - START_S


async def drained(reading: EventReading) -> None:
    """Read a stream to its end."""
    async for _batch in reading:
        pass
