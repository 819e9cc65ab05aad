"""
The load generator: a closed loop of keep-alive connections, each asking again as soon as its answer is complete.

Callbacks only, no task per request, so that its own CPU time (it shares a core with the mock) stays small. A run is
bounded twice: no request starts after `duration_s`, and what is still open `patience_s` later counts as an error.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, cast

import httptools

from loadtests import messages

_OK: Final = 200
_PER_S_MAX: Final = 50_000  # questions; no gateway here answers as many
_STAMP_END: Final = len(messages.STAMP) + messages.STAMP_DIGITS


@dataclass(frozen=True, slots=True)
class Load:
    """
    What to send, to whom, and for how long.

    `tokens` is the length of the streams to ask for; `None` asks for unary answers. `key` is who asks,
    `more_bytes` how much longer than usual the prompt is.
    """

    port: int
    model: str
    concurrency: int
    duration_s: float
    tokens: int | None = None
    key: str | None = None
    more_bytes: int = 0
    patience_s: float = 10.0
    clock: Callable[[], float] = time.monotonic


@dataclass(slots=True)
class Tally:
    """What a run saw; times in seconds, `token_s` being the age of each streamed chunk on arrival."""

    latency_s: list[float] = field(default_factory=list)
    first_token_s: list[float] = field(default_factory=list)
    token_s: list[float] = field(default_factory=list)
    errors: int = 0
    elapsed_s: float = 0.0

    @property
    def requests(self) -> int:
        """Answers that were complete and good."""
        return len(self.latency_s)

    @property
    def tokens(self) -> int:
        """Streamed chunks that arrived."""
        return len(self.token_s)


class Connection(asyncio.Protocol):
    """One slot of the closed loop."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self._tally = crew.tally
        self._clock = crew.load.clock
        self._streams = crew.load.tokens is not None
        self._parser = httptools.HttpResponseParser(self)
        self._sent_s = 0.0
        self._rest = b""
        self._tokens = 0
        self._ended_well = False
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to ask on."""
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Report the slot as gone; if it was still at work, that is an error."""
        self._crew.lose(self)

    def ask(self) -> None:
        """Send the request."""
        self._rest = b""
        self._tokens = 0
        self._ended_well = not self._streams
        self._sent_s = self._clock()
        self.transport.write(self._crew.request())

    def data_received(self, data: bytes) -> None:
        """Feed the parser; it calls the `on_` methods below."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.abort()

    def on_body(self, body: bytes) -> None:
        """Read the stamps out of a streamed chunk; a stamp may be cut by the border of two reads."""
        if not self._streams:
            return
        now_s = self._clock()
        text = self._rest + body if self._rest else body
        begin = text.find(messages.STAMP)
        end = 0
        while begin >= 0 and begin + _STAMP_END <= len(text):
            end = begin + _STAMP_END
            self._arrived(now_s, float(text[begin + len(messages.STAMP) : end]))
            begin = text.find(messages.STAMP, end)
        self._ended_well = text.endswith(messages.SSE_DONE)
        self._rest = b"" if text.endswith(b"\n\n") else text[end:]

    def on_message_complete(self) -> None:
        """Count the answer and ask again, unless the time is up."""
        now_s = self._clock()
        if self._parser.get_status_code() == _OK and self._ended_well:
            self._tally.latency_s.append(now_s - self._sent_s)
        else:
            self._tally.errors += 1
        if now_s < self._crew.stop_s:
            self.ask()
        else:
            self._crew.leave(self)

    def _arrived(self, now_s: float, stamped_s: float) -> None:
        if self._tokens == 0:
            self._tally.first_token_s.append(now_s - self._sent_s)
        self._tokens += 1
        self._tally.token_s.append(now_s - stamped_s)


class Crew:
    """All connections of one run."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.tally = Tally()
        body = messages.chat_request(load.model, tokens=load.tokens, more_bytes=load.more_bytes)
        whole = messages.http_request(body, load.key)
        self._before, self._after = whole.split(messages.SERIAL.encode())
        self._serial = int(load.clock() * _PER_S_MAX)  # beyond all that earlier runs have used
        self.stop_s = 0.0
        self._all: list[Connection] = []
        self._working: set[Connection] = set()
        self._finished = asyncio.Event()

    async def run(self) -> Tally:
        """Connect, work, and close; the time of connecting is not counted."""
        try:
            await self._connect()
            began_s = self.load.clock()
            self.stop_s = began_s + self.load.duration_s
            for connection in self._all:
                connection.ask()
            await self._wait()
            self.tally.elapsed_s = self.load.clock() - began_s
        finally:
            self.tally.errors += len(self._working)
            self._working.clear()
            for connection in self._all:
                connection.transport.abort()
        return self.tally

    def request(self) -> bytes:
        """Return the next question; no two are the same, in this run or any other."""
        self._serial += 1
        return b"%b%b%b" % (self._before, messages.serial(self._serial), self._after)

    def lose(self, connection: Connection) -> None:
        """Count the answer that a closed connection still owed, if any."""
        if connection in self._working:
            self.tally.errors += 1
            self.leave(connection)

    def leave(self, connection: Connection) -> None:
        """Take a connection off work; the run ends with the last one."""
        self._working.discard(connection)
        if not self._working:
            self._finished.set()

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(self.load.concurrency):
            _, connection = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self.load.port)
            self._all.append(connection)
            self._working.add(connection)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self.load.duration_s + self.load.patience_s):
                await self._finished.wait()
        except TimeoutError:
            return


async def run(load: Load) -> Tally:
    """
    Put `load` on 127.0.0.1 and report what came back.

    Raises `OSError` if nothing listens on the port.
    """
    return await Crew(load).run()
