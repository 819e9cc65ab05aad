"""
One connection to a provider: an `asyncio.Protocol` that carries one exchange at a time.

It is in one of three states: *busy* from `exchange` until all of the answer has arrived, *resting* in between, and
*closed*. Whatever goes wrong closes it; whatever arrives while it rests does, too.

A request in memory is handed to the transport as a whole. While the peer does not read, the transport keeps a reference
to the body, which the caller holds anyway, and the caller waits for the answer, which is read all the while: an early
refusal (413) is seen at once, and nobody needs to wait for a drain. An upload (`upload.py`) comes piece by piece and
waits for the peer to read; until all of it is sent the connection is fit for nothing else.
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
    """Where a connection belongs."""

    def ready(self, connection: Connection) -> None:
        """Take it back: its exchange is over and it can carry another."""
        ...

    def gone(self, connection: Connection, *, busy: bool) -> None:
        """Forget it: it is closed; `busy` if it was in the middle of an exchange."""
        ...


class Connection(asyncio.Protocol):
    """
    Sends requests and fills replies.

    `answer` is done when the head of the present reply is there, or failed with why it will not come. `born` and
    `rested_since` are moments of the loop's clock. `lost` is done when the socket is closed.
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
        """Ask the socket whether the peer has closed it, or sent what nobody asked for; the loop may not know yet."""
        return bool(self._arrivals.poll(0))

    def exchange(self, head: Head, body: bytes) -> PoolReply:
        """Send a request and return the reply, which is good for nothing but to be closed before `answer` is done."""
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
        """Send the head of a request whose body of `size` bytes (None: nobody knows) follows by `write`."""
        reply = self._expect(head)
        self._writing = True
        framing = b"transfer-encoding: chunked" if size is None else b"content-length: %d" % size
        self.transport.write(b"%b%b\r\n\r\n" % (head.lines, framing))
        return reply

    async def write(self, data: bytes) -> None:
        """
        Send a piece of the body that `begin` announced, framed already, and wait while the peer does not read.

        Raises:
            GatewayError: TIMEOUT_IDLE if it does not for too long.
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
        """Take note that all of the body is out."""
        self._writing = False

    def drop(self) -> None:
        """Close at once."""
        if not self.closed:
            self.closed = True
            self.transport.abort()
            self._home.gone(self, busy=self._busy)

    def fail(self, failure: GatewayError) -> None:
        """Close at once; who waits for an answer is told why."""
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
        """Read on."""
        self.transport.resume_reading()

    # --- called by the transport ------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to send on."""
        self.transport = cast("asyncio.Transport", transport)
        self._arrivals.register(transport.get_extra_info("socket"), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Fill the reply and wake who waits for it."""
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
        """Let who sends an upload wait: the peer does not keep up."""
        self._room = self._loop.create_future()

    def resume_writing(self) -> None:
        """Let them go on."""
        if self._room is not None:
            self._room.set_result(None)
            self._room = None

    def eof_received(self) -> None:
        """Close: a peer that has finished sending is of no more use."""
        self._broken(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell everybody, unless it was closed from here."""
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
        """Rest, if the connection is in step: nothing left to send, and nothing behind the answer."""
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
