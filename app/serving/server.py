"""
One process's server: uvicorn's, with a graceful shutdown of its own.

On SIGTERM it reports at once that it is not ready, and keeps serving for `server.drain_delay_s`, so that load balancers
notice; each answer in that time closes its connection. Then it stops listening and lets running requests finish, for
`server.drain_s` at most. Those left are cut off with an error. A second signal skips what remains of that.
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

BEAT_S: Final = 1.0  # between two heartbeats
BODY_GRACE_S: Final = 1.0  # after which a request whose body is incomplete is no longer waited for
LAST_WORDS_S: Final = 2.0  # for sending error frames, and for stages to handle the end
CLOSING_S: Final = 5.0  # for connections to providers and Redis, which usually close at once
_POLL_S: Final = 0.02
_CLOSE: Final = (b"connection", b"close")


class Keeper(Protocol):
    """An observer of the server's state: systemd, or the parent of a worker."""

    def started(self) -> None:
        """Handle that calls are served."""

    def beat(self, requests: int) -> None:
        """Handle a heartbeat of the event loop, about once a second; `requests` were served so far."""

    def stopping(self) -> None:
        """Handle that the server shuts down."""


class GatewayServer(uvicorn.Server):
    """
    Serves until a signal, or `end`.

    Args:
        config: uvicorn's, with the service's application.

        service: The service to run.

        keeper: Notified of the server's state.
    """

    def __init__(self, config: uvicorn.Config, service: Service, keeper: Keeper, clock: Clock) -> None:
        super().__init__(config)
        self._service = service
        self._keeper = keeper
        self._clock = clock
        self._how = Ending.ORDERLY
        self._beat_at = 0.0

    def end(self, how: Ending) -> None:
        """Begin to shut down; on the second call, at once."""
        if self.should_exit:
            self.force_exit = True
            return
        self.should_exit = True
        self._how = how
        if how is not Ending.RELIEVED:  # else a readiness probe of the whole gateway could fail here
            self._service.lifecycle.drain()
        self.config.encoded_headers.append(_CLOSE)  # for all answers; uvicorn copies it once a second only
        self.server_state.default_headers = [*self.server_state.default_headers, _CLOSE]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Shut down on SIGTERM or SIGINT."""
        self.end(Ending.QUICK if sig == signal.SIGINT else Ending.ORDERLY)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and notify the keeper."""
        await super().startup(sockets)
        if self.started:
            self._keeper.started()

    async def on_tick(self, counter: int) -> bool:
        """Send a heartbeat if one is due by the clock; ticks, ten a second, are fewer under load, so not counted."""
        now = self._clock.now()
        if now >= self._beat_at:
            self._beat_at = now + BEAT_S
            self._keeper.beat(self.server_state.total_requests)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Shut down gracefully; see the module."""
        began = self._clock.now()
        settings = self._service.settings.server
        window_s = 0.0 if self._how is Ending.QUICK else settings.drain_delay_s
        self._keeper.stopping()
        self._service.listener(DrainStarted(len(self.server_state.tasks), window_s))
        if self._how is Ending.RELIEVED:
            self._stop_listening(sockets)
        await self._wait(began + window_s)
        self._stop_listening(sockets)
        self._close_connections()
        await self._finish(self._clock.now() + settings.drain_s)
        cut = await self._cut_off()
        self._service.listener(DrainEnded(cut, self._clock.now() - began))
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSING_S):
                await self.lifespan.shutdown()

    def _stop_listening(self, sockets: list[socket.socket] | None) -> None:
        """Accept no more connections. Idempotent."""
        for server in self.servers:
            server.close()
        for listening in sockets or ():
            listening.close()

    def _close_connections(self) -> None:
        """Close idle connections at once, and the others after their answer."""
        self._service.lifecycle.drain()
        for connection in [*self.server_state.connections]:
            connection.shutdown()

    async def _finish(self, until: float) -> None:
        """Wait for running requests; those whose body is still incomplete after the grace time are closed."""
        await self._wait(min(until, self._clock.now() + BODY_GRACE_S), self._empty)
        for connection in [*self.server_state.connections]:
            if isinstance(connection, GuardedProtocol) and _lacks_body(connection.under_way):
                connection.transport.close()
        await self._wait(until, self._empty)

    async def _cut_off(self) -> int:
        """Cancel the remaining requests, which send an error; return their number."""
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
    return cycle is not None and cycle.more_body  # connections without a request are closed by now
