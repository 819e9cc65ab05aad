"""
Parses answers with httptools (llhttp), within bounds that llhttp does not have.

Does no I/O. llhttp is strict by default, and left so: an answer with two lengths, with a length beside a transfer
coding or with bare line feeds is refused, because two readers could see different ends in it.
"""

from __future__ import annotations

from typing import Final

import httptools

from app.core.errors import BAD_UPSTREAM_REPLY, GatewayError
from app.providers.pool.options import PoolOptions
from app.providers.pool.reply import PoolReply

_INTERIM: Final = 100  # the first status of an announcement ...
_FINAL: Final = 200  # ... and of an answer proper
_NO_BODY: Final = (204, 304)
_SEPARATORS: Final = len(b": \r\n")


class ReplyParser:
    """
    Fills one reply after the other from the bytes of one connection.

    `reply` is the current one, `begun` whether any of its bytes have arrived, and `reusable`, once it is complete,
    whether another may follow on the same connection.
    """

    __slots__ = ("_bodiless", "_headers", "_http", "_options", "_overhead",
                 "begun", "reply", "reusable")  # fmt: skip

    def __init__(self, options: PoolOptions) -> None:
        self._options = options
        self._headers: dict[bytes, bytes] = {}
        self._bodiless = False
        self._overhead = 0  # bytes since the last piece of the body, or of the head so far
        self.reply: PoolReply | None = None
        self.begun = False
        self.reusable = False
        self._http = httptools.HttpResponseParser(self)  # it calls the `on_` methods below

    def expect(self, reply: PoolReply, *, bodiless: bool) -> None:
        """Fill `reply` next; `bodiless` for the answer to a HEAD, whatever its headers say."""
        self.reply = reply
        self._bodiless = bodiless
        self._overhead = 0
        self.begun = False
        self.reusable = False

    def feed(self, data: bytes) -> PoolReply:
        """
        Take bytes as they arrive and return the reply that they belong to.

        Raises:
            GatewayError: BAD_UPSTREAM_REPLY for bytes that are not HTTP/1.x, go beyond a bound or belong to no reply.
                Such bytes *behind* the end of a reply leave it as it is, but `reusable` is then False.
        """
        reply = self.reply
        if reply is None:
            raise GatewayError(BAD_UPSTREAM_REPLY, "The provider sent what nobody had asked for.")
        self.begun = True
        self._overhead += len(data)
        held_bytes = reply.held_bytes
        try:
            self._http.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.reusable = False
            if not reply.complete:
                raise _named(error) from error
        if self._bodiless and reply.status:
            self._complete(reply)  # whatever llhttp waits for
        elif reply.held_bytes != held_bytes:
            self._overhead = 0
        elif self._overhead > self._options.head_max_bytes and not reply.complete:
            raise self._too_large()
        return reply

    def end(self) -> bool:
        """Handle the end of the connection; return whether it completes the reply."""
        reply = self.reply
        if reply is None or not reply.status or _is_framed(reply):
            return False
        self._complete(reply)
        return True

    # --- called by httptools ----------------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Reset; an unrequested message makes the connection unusable."""
        if self.reply is None:
            self.reusable = False
        if self._headers:  # of a 1xx, or trailers
            self._headers = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; of repeated ones, the last."""
        self._headers[name] = value

    def on_headers_complete(self) -> None:
        """Pass the head to the reply, unless its status is 1xx, which only precedes the final one."""
        reply = self.reply
        status = self._http.get_status_code()
        if reply is None or _INTERIM <= status < _FINAL:
            return
        if status < _INTERIM:
            raise GatewayError(BAD_UPSTREAM_REPLY, f"The provider's answer has the status {status}.")
        if len(self._headers) > self._options.headers_max:
            raise GatewayError(BAD_UPSTREAM_REPLY, "The provider's answer has too many headers.")
        if self._overhead > self._options.head_max_bytes and self._size() > self._options.head_max_bytes:
            raise self._too_large()
        self._overhead = 0
        if status in _NO_BODY:
            self._bodiless = True
        reply.status = status
        reply.raw_headers, self._headers = self._headers, {}

    def on_body(self, body: bytes) -> None:
        """Pass a piece of the body to the reply."""
        if self.reply is not None and not self._bodiless:
            self.reply.parts.append(body)
            self.reply.held_bytes += len(body)

    def on_message_complete(self) -> None:
        """
        Complete the reply, unless what is complete is an announcement.

        A reply without a body is complete without coming here. Where llhttp goes by a length in its head and waits
        for a body, `reusable` stays False.
        """
        reply = self.reply
        if reply is not None and reply.status:
            self.reusable = self._http.should_keep_alive()
            self._complete(reply)

    def _complete(self, reply: PoolReply) -> None:
        reply.finish()
        self.reply = None

    def _size(self) -> int:
        return sum(len(name) + len(value) + _SEPARATORS for name, value in self._headers.items())

    def _too_large(self) -> GatewayError:
        limit = self._options.head_max_bytes
        return GatewayError(BAD_UPSTREAM_REPLY, f"The provider sent more than {limit} bytes beside a body.")


def _named(error: Exception) -> GatewayError:
    """Return the exception of one of our callbacks inside httptools, or else httptools' own."""
    if isinstance(error.__context__, GatewayError):
        return error.__context__
    return GatewayError(BAD_UPSTREAM_REPLY, "The provider's answer is not proper HTTP/1.1.")


def _is_framed(reply: PoolReply) -> bool:
    """Return whether the head determines the end of the body; otherwise it ends with the connection."""
    return any(
        name.lower() == b"content-length" or (name.lower() == b"transfer-encoding" and b"chunked" in value.lower())
        for name, value in reply.raw_headers.items()
    )
