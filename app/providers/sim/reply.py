"""The answer of a script in the making: its parts at their time, and then its end."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from typing import Final

import msgspec

from app.core.clock import Clock
from app.core.errors import TARGET_UNAVAILABLE, GatewayError
from app.providers.sim.parts import Part
from app.providers.sim.script import Ending

READ_BYTES: Final = 65_536  # about what one read of a socket brings
FOREVER_S: Final = 31_536_000.0  # a year: longer than any limit of the gateway


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
        self._status, self._headers = head
        self._body = body
        self._clock = clock
        self._on_close = on_close
        self._running: AsyncGenerator[bytes, None] | None = None
        self._ended = False
        self._closed = False

    @property
    def status(self) -> int:
        """Return the HTTP status."""
        return self._status

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers."""
        return self._headers

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
