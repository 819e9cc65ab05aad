"""The answer of a script in the making: which bytes leave when, the faults in mid-answer, and its end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from itertools import islice
from typing import Final, TypeAlias

import msgspec

from app.core.clock import Clock
from app.core.errors import TARGET_UNAVAILABLE, GatewayError
from app.providers.sim.script import Ending, Script
from app.providers.sim.wire import Answer, Frames, completion, script_error

READ_BYTES: Final = 65_536  # about what one read of a socket brings
FOREVER_S: Final = 31_536_000.0  # a year: longer than any limit of the gateway
_EVENTS_PER_PART: Final = 64  # a long answer without a pace lets the loop take a turn this often

Part: TypeAlias = tuple[float | None, bytes]  # seconds to wait (None: not even a turn of the loop), then bytes


class Body(msgspec.Struct, frozen=True):
    """What is sent, and how it stops."""

    parts: Iterator[Part]
    ending: Ending = Ending.WHOLE


class SimReply:
    """
    One answer, seen through the port.

    `on_close` is told once whether the reply was closed before its body had come to its end, good or bad.
    """

    def __init__(
        self, head: tuple[int, Mapping[str, str]], body: Body, clock: Clock, on_close: Callable[[bool], None]
    ) -> None:
        self.status, self.headers = head
        self._body = body
        self._clock = clock
        self._on_close = on_close
        self._running: AsyncGenerator[bytes, None] | None = None
        self._ended = False
        self._closed = False

    def rest(self) -> bytes | None:
        """Return nothing if the script has come to its end; it is a secret before."""
        return b"" if self._ended else None

    def chunks(self) -> AsyncGenerator[bytes, None]:
        """Iterate over the body as the script paces it; see the port."""
        self._running = self._play()
        return self._running

    async def aclose(self) -> None:
        """Stop the script."""
        if self._closed:
            return
        self._closed = True
        self._on_close(not self._ended)
        if self._running is not None:
            await self._running.aclose()

    async def _play(self) -> AsyncGenerator[bytes, None]:
        """Send what needs no wait together, as a fast server's bytes arrive."""
        held: list[bytes] = []
        size = 0
        for wait_s, data in self._body.parts:
            if wait_s is not None or size >= READ_BYTES:
                if held:
                    yield b"".join(held)
                    held.clear()
                    size = 0
                await self._clock.sleep(wait_s or 0)  # also without a wait: a long answer is not the only one
            held.append(data)
            size += len(data)
        yield b"".join(held)
        ending = self._body.ending
        if ending is Ending.STALLS:
            await self._clock.sleep(FOREVER_S)
        self._ended = True
        if ending is Ending.STALLS or ending is Ending.DIES:
            raise GatewayError(TARGET_UNAVAILABLE, "The scripted provider broke the connection in mid-answer.")


def first_byte_s(script: Script, answer: Answer, *, stream: bool) -> float:
    """Return when the body begins, counted from the request: at the first token, or for a whole answer at the last."""
    if stream or script.tokens_per_s is None:
        return script.first_token_s
    words = len(answer.words) + len(answer.reasoning)
    return script.first_token_s + max(0, words - 1) / script.tokens_per_s


def whole_parts(script: Script, answer: Answer, wait_s: float) -> Iterator[Part]:
    """Yield a whole answer, `wait_s` after its head; a fault in mid-answer leaves half of it."""
    ending, _ = script.ending
    body = script_error() if ending is Ending.ERROR else completion(answer)
    whole = ending is Ending.WHOLE or ending is Ending.ERROR
    yield wait_s or None, body if whole else body[: len(body) // 2]


def stream_parts(script: Script, answer: Answer, wait_s: float) -> Iterator[Part]:
    """Yield a streamed answer, its content `wait_s` after its head and role, up to its fault if it has one."""
    ending, after = script.ending
    frames = Frames(answer)
    yield None, frames.opening()
    content = islice(frames.content(), after)
    step, gap_s = (_EVENTS_PER_PART, 0.0) if script.tokens_per_s is None else (1, 1 / script.tokens_per_s)
    pause_s = wait_s or None
    while events := b"".join(islice(content, step)):
        yield pause_s, events
        pause_s = gap_s
    if ending is Ending.WHOLE:
        yield None, frames.closing()
    elif ending is Ending.ERROR:
        yield None, b"data: %b\n\n" % script_error()
