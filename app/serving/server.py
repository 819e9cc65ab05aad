"""
One process's server: uvicorn's, with an end of its own.

On SIGTERM it says at once that it is not ready, and goes on for a moment in which load balancers find out; every answer
of that moment asks for its connection to be closed. Then it stops listening and lets what has begun come to its end,
for `server.drain_s` at most. What is left then is told why, and cut off. A second signal skips what remains of that.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Final, Protocol

import uvicorn
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from app.core.clock import Clock
from app.core.lifecycle import CUT_OFF
from app.core.signals import DrainEnded, DrainStarted
from app.main import Service
from app.serving.guarded_protocol import GuardedProtocol
from app.serving.messages import Ending

BEAT_S: Final = 1.0  # between two signs of life
BODY_GRACE_S: Final = 1.0  # after which a request whose body is still not there has no claim to be waited for
LAST_WORDS_S: Final = 2.0  # for error frames to get out, and for stages to take note of the end
CLOSING_S: Final = 5.0  # for connections to providers and to Redis, which close by themselves in no time
_POLL_S: Final = 0.02
_CLOSE: Final = (b"connection", b"close")


class Keeper(Protocol):
    """Whoever wants to know how the server is: systemd, or the parent of a worker."""

    def started(self) -> None:
        """Take note that calls are served."""

    def beat(self, requests: int) -> None:
        """Take note that the event loop turns, about once a second; `requests` were served so far."""

    def stopping(self) -> None:
        """Take note that the server ends."""


class GatewayServer(uvicorn.Server):
    """
    Serves until a signal, or `end`.

    Args:
        config: uvicorn's, with the service's application.

        service: What is served.

        keeper: Told how the server is.

        clock: Source of time.
    """

    def __init__(self, config: uvicorn.Config, service: Service, keeper: Keeper, clock: Clock) -> None:
        super().__init__(config)
        self._service = service
        self._keeper = keeper
        self._clock = clock
        self._how = Ending.ORDERLY
        self._beat_at = 0.0

    def end(self, how: Ending) -> None:
        """Begin to end; called again, end at once."""
        if self.should_exit:
            self.force_exit = True
            return
        self.should_exit = True
        self._how = how
        if how is not Ending.RELIEVED:  # for the others are ready, and a probe may come here
            self._service.lifecycle.drain()
        self.config.encoded_headers.append(_CLOSE)  # of every answer from now on; copied once a second, so also here
        self.server_state.default_headers = [*self.server_state.default_headers, _CLOSE]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Obey SIGTERM or SIGINT."""
        self.end(Ending.QUICK if sig == signal.SIGINT else Ending.ORDERLY)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        if self.started:
            self._keeper.started()

    async def on_tick(self, counter: int) -> bool:
        """Do what is to be done ten times a second; less often on a machine that is busy, so ticks are not counted."""
        now = self._clock.now()
        if now >= self._beat_at:
            self._beat_at = now + BEAT_S
            self._keeper.beat(self.server_state.total_requests)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End in order; see the module."""
        began = self._clock.now()
        given = self._service.settings.server
        window_s = 0.0 if self._how is Ending.QUICK else given.drain_delay_s
        self._keeper.stopping()
        self._service.listener(DrainStarted(len(self.server_state.tasks), window_s))
        if self._how is Ending.RELIEVED:
            self._stop_listening(sockets)
        await self._wait(began + window_s)
        self._stop_listening(sockets)
        self._close_connections()
        await self._finish(self._clock.now() + given.drain_s)
        cut = await self._cut_off()
        self._service.listener(DrainEnded(cut, self._clock.now() - began))
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_S):
                await self.lifespan.shutdown()

    def _stop_listening(self, sockets: list[socket.socket] | None) -> None:
        """Take no more connections. Repeatable."""
        for server in self.servers:
            server.close()
        for listening in sockets or ():
            listening.close()

    def _close_connections(self) -> None:
        """Close those that rest, and let the others be closed after their answer."""
        self._service.lifecycle.drain()
        for connection in [*self.server_state.connections]:
            connection.shutdown()

    async def _finish(self, until: float) -> None:
        """Wait for what has begun; a request is only one once its body is there."""
        await self._wait(min(until, self._clock.now() + BODY_GRACE_S), self._empty)
        for connection in [*self.server_state.connections]:
            if isinstance(connection, GuardedProtocol) and _lacks_body(connection.under_way):
                connection.transport.close()
        await self._wait(until, self._empty)

    async def _cut_off(self) -> int:
        """Cancel what is left, which then says why it ends; return how many requests that were."""
        left = [*self.server_state.tasks]
        self._service.lifecycle.cut()
        for task in left:
            task.cancel(CUT_OFF)
        if left:
            await asyncio.wait(left, timeout=LAST_WORDS_S)
        for connection in [*self.server_state.connections]:
            connection.transport.abort()
        return len(left)

    def _empty(self) -> bool:
        return not self.server_state.tasks and not self.server_state.connections

    async def _wait(self, until: float, happened: Callable[[], bool] = lambda: False) -> None:
        while not self.force_exit and not happened() and self._clock.now() < until:
            await self._clock.sleep(_POLL_S)


def _lacks_body(cycle: RequestResponseCycle | None) -> bool:
    return cycle is not None and cycle.more_body  # whoever has none is closed by now
