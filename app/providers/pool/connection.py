"""
One connection to a provider: an `asyncio.Protocol` that carries one exchange at a time.

It is in one of three states: *busy* from `exchange` until the whole answer has arrived, *resting* (idle) between
exchanges, and *closed*. Any failure closes it, and so does any data that arrives while it rests.

A request in memory is handed to the transport as a whole. While the peer does not read, the transport keeps a reference
to the body, which the caller holds anyway. The answer is read meanwhile, so an early refusal (413) is seen at once and
no drain is awaited. An upload (`upload.py`) is sent piece by piece with back-pressure; until all of it is sent, the
connection cannot be reused.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from typing import Final, Protocol, cast

from app.core.errors import TARGET_UNAVAILABLE, TIMEOUT_IDLE, GatewayError
from app.providers.pool.encode import Head
from app.providers.pool.options import PoolOptions
from app.providers.pool.parser import ReplyParser
from app.providers.pool.reply import PoolReply

_JOINED_MAX_BYTES: Final = 16 * 1024  # up to here one copy is cheaper than two buffers


class Home(Protocol):
    """The owner of a connection."""

    def ready(self, connection: Connection) -> None:
        """Take back a connection whose exchange is over and that can carry another."""
        ...

    def gone(self, connection: Connection, *, busy: bool) -> None:
        """Forget a closed connection; `busy` if it was closed during an exchange."""
        ...


class Connection(asyncio.Protocol):
    """
    Sends requests and fills replies.

    `answer` is done when the head of the current reply has arrived, or fails with the reason that it will not. `born`
    and `rested_since` are times of the loop's clock. `lost` is done when the socket is closed.
    """

    __slots__ = ("_arrivals", "_busy", "_home", "_loop", "_options", "_parser", "_room", "_writing",
                 "answer", "born", "closed", "lost", "rested_since", "transport")  # fmt: skip

    def __init__(self, home: Home, options: PoolOptions) -> None:
        self._loop = asyncio.get_running_loop()
        self._home = home
        self._options = options
        self._parser = ReplyParser(options)
        self.transport: asyncio.Transport
        self._arrivals = select.poll()
        self._busy = False
        self._writing = False
        self._room: asyncio.Future[None] | None = None
        self.born = self.rested_since = self._loop.time()
        self.answer: asyncio.Future[None]
        self.closed = False
        self.lost: asyncio.Future[None] = self._loop.create_future()

    @property
    def ended(self) -> bool:
        """Return whether the peer closed the socket or sent unrequested data; the loop may not have noticed yet."""
        return bool(self._arrivals.poll(0))

    def exchange(self, head: Head, body: bytes) -> PoolReply:
        """Send a request and return the reply, which can only be closed until `answer` is done."""
        reply = self._expect(head)
        size = len(body)
        if not size and head.may_lack_body:
            self.transport.write(head.lines + b"\r\n")
        elif size <= _JOINED_MAX_BYTES:
            self.transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (head.lines, size, body))
        else:
            self.transport.writelines((b"%bcontent-length: %d\r\n\r\n" % (head.lines, size), body))
        return reply

    def begin(self, head: Head, size: int | None) -> PoolReply:
        """Send the head of a request whose body of `size` bytes (None: unknown) follows by `write`."""
        reply = self._expect(head)
        self._writing = True
        framing = b"transfer-encoding: chunked" if size is None else b"content-length: %d" % size
        self.transport.write(b"%b%b\r\n\r\n" % (head.lines, framing))
        return reply

    async def write(self, data: bytes) -> None:
        """
        Send an already framed piece of the body that `begin` announced, and wait while the peer does not read.

        Raises:
            GatewayError: TIMEOUT_IDLE if it does not read for `write_s`.
        """
        if not self.closed:
            self.transport.write(data)
        if self._room is None:
            return
        allowed_s = self._options.write_s
        try:
            async with asyncio.timeout(allowed_s):
                await asyncio.shield(self._room)
        except TimeoutError as error:
            message = f"The provider took nothing of the request for {allowed_s:g} s."
            raise GatewayError(TIMEOUT_IDLE, message) from error

    def written(self) -> None:
        """Mark the body as completely sent."""
        self._writing = False

    def drop(self) -> None:
        """Close at once."""
        if not self.closed:
            self.closed = True
            self.transport.abort()
            self._home.gone(self, busy=self._busy)

    def fail(self, failure: GatewayError) -> None:
        """Close at once and fail the current reply with `failure`."""
        reply = self._parser.reply
        self.drop()
        if reply is None:
            return
        reply.fail(failure)
        if self.answer.done():
            reply.wake()
        else:
            self.answer.set_exception(failure)

    def resume(self) -> None:
        """Resume reading."""
        self.transport.resume_reading()

    # --- called by the transport ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to send on."""
        self.transport = cast("asyncio.Transport", transport)
        self._arrivals.register(transport.get_extra_info("socket"), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Fill the reply and wake its reader."""
        try:
            reply = self._parser.feed(data)
        except GatewayError as failure:
            self.fail(failure)
            return
        if reply.complete:
            self._release()
        elif reply.held_bytes > self._options.buffer_max_bytes and not reply.paused:
            reply.paused = True
            self.transport.pause_reading()
        if self.answer.done():
            reply.wake()
        elif reply.status:
            self.answer.set_result(None)

    def pause_writing(self) -> None:
        """Make uploads wait: the peer does not keep up."""
        self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        """Let uploads continue."""
        if self._room is not None:
            self._room.set_result(None)
            self._room = None

    def eof_received(self) -> None:
        """Close: a peer that has finished sending cannot answer again."""
        self._broken(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the current reply, unless this side closed the connection, and wake uploads."""
        self._broken(exc)
        self.resume_writing()
        self.lost.set_result(None)

    def _expect(self, head: Head) -> PoolReply:
        reply = PoolReply(self)
        self._parser.expect(reply, bodiless=head.asks_for_head)
        self._busy = True
        self.answer = self._loop.create_future()
        return reply

    def _release(self) -> None:
        """Give the connection back if nothing is left to send and nothing follows the answer; close it otherwise."""
        if self._parser.reusable and not self._writing and not self.transport.get_write_buffer_size():
            self._busy = False
            self._home.ready(self)
        else:
            self.drop()

    def _broken(self, cause: Exception | None) -> None:
        reply = self._parser.reply
        if self.closed:
            return
        if cause is None and reply is not None and self._parser.end():
            self.drop()
            reply.wake()
            return
        failure = GatewayError(TARGET_UNAVAILABLE, self._what_happened(cause))
        failure.__cause__ = cause
        self.fail(failure)

    def _what_happened(self, cause: Exception | None) -> str:
        if isinstance(cause, ssl.SSLError):
            return f"The provider broke the TLS connection off ({cause.reason})."
        if self._parser.begun:
            return "The provider's connection broke in mid-answer."
        return "The connection to the provider broke before it answered."
