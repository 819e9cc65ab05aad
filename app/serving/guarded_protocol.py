"""
uvicorn's HTTP protocol with bounds on what an unauthenticated client may do.

uvicorn bounds neither the size of a request's head, nor the time that a head or a body may take, nor the connections of
one address, and it takes any Host or none. Violations are refused here with an error of the table, before a task exists
for the request. A request that comes in one piece, as nearly all do, costs a few comparisons.
"""

from __future__ import annotations

import asyncio
import http
from collections import Counter
from typing import Final

import msgspec
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from app.api.errors import error_response
from app.api.inbound import new_request_id
from app.core.errors import (
    HEAD_TOO_LARGE,
    INVALID_HTTP,
    OVERLOADED,
    REQUEST_TOO_SLOW,
    GatewayError,
)
from app.serving.head import fault_of
from app.serving.lean_protocol import Flow, News, Queue
from app.serving.unframed import unframe

LOOK_S: Final = 5.0  # between two checks of a body that is still arriving
_AHEAD: Final = 4  # pipelined requests that may wait while the connection is still read


class GuardOptions(msgspec.Struct, frozen=True):
    """
    The bounds.

    `hosts` are the accepted names in the Host header, in lower case and without a port; if empty, all are. A head may
    have `head_max_bytes` and `headers_max` fields and take `head_s`; a body has to arrive at `body_min_bytes_per_s` at
    least. `per_address` bounds the connections of one address; None does not.
    """

    hosts: frozenset[bytes] = frozenset()
    head_max_bytes: int = 65_536
    headers_max: int = 100
    head_s: float = 10.0
    body_min_bytes_per_s: int = 256
    per_address: int | None = None


class Guard:
    """The state that the connections of one process share; the factory of their protocols."""

    def __init__(self, options: GuardOptions) -> None:
        self.options = options
        self.connections: Counter[str] = Counter()

    def __call__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, object],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> GuardedProtocol:
        """Return the protocol of a new connection; called by uvicorn."""
        return GuardedProtocol(self, config, server_state, app_state)


class GuardedProtocol(HttpToolsProtocol):
    """One connection."""

    # Outside of the instance dictionary: with more than 30 attributes in it, connections would not share its keys.
    __slots__ = ("_address", "_body_bytes", "_field_bytes", "_guard", "_head_open", "_head_since", "_options",
                 "_raw_bytes", "_refused", "_running", "_timer")  # fmt: skip

    def __init__(self, guard: Guard, config: Config, server_state: ServerState, app_state: dict[str, object]) -> None:
        super().__init__(config, server_state, app_state)
        self._guard = guard
        self._options = guard.options
        self._head_open = True  # the head is due from the connection's first moment on
        self._field_bytes = 0  # of the head so far, as parsed
        self._raw_bytes = 0  # of the request so far, as received: bounds a field without an end, which is not parsed
        self._head_since = self.loop.time()
        self._body_bytes = 0
        self._refused = False
        self._running: RequestResponseCycle | None = None  # `cycle` is the newest, which may be pipelined behind this
        self._timer: asyncio.TimerHandle | None = None
        self._address = ""
        self.pipeline = Queue()  # type: ignore[assignment]  # has what uvicorn uses of a deque

    # --- the connection ------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, unless the address has too many connections already."""
        super().connection_made(transport)
        self.flow = Flow(transport)
        self._address = self.client[0] if self.client else ""
        self._guard.connections[self._address] += 1
        bound = self._options.per_address
        if bound is not None and self._guard.connections[self._address] > bound:
            self._refuse(
                GatewayError(OVERLOADED, f"More than {bound} connections from one address.", retry_after_s=1.0)
            )
            return
        self._timer = self.loop.call_later(self._options.head_s, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._disarm()
        self._guard.connections[self._address] -= 1
        if not self._guard.connections[self._address]:
            del self._guard.connections[self._address]
        super().connection_lost(exc)
        if (running := self._running) is not None and not running.response_complete:  # uvicorn notifies the newest only
            running.disconnected = True
            running.message_event.set()

    def data_received(self, data: bytes) -> None:
        """Process bytes, unless the request was refused."""
        if not self._refused:
            self._raw_bytes += len(data)
            super().data_received(data)
            self._note(len(data))

    # --- one request: the parser's callbacks ---------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Expect a head."""
        super().on_message_begin()
        self._head_open, self._head_since = True, self.loop.time()
        self._field_bytes, self._raw_bytes = 0, max(self._raw_bytes, 1)

    def on_url(self, url: bytes) -> None:
        """Count the bytes of the request target."""
        super().on_url(url)
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a field; trailers are not added to the headers, as uvicorn would."""
        if self._head_open:
            super().on_header(name, value)
        self._count(len(name) + len(value))

    def on_headers_complete(self) -> None:
        """Check the head; a request that is refused never becomes a task."""
        self._head_open, self._body_bytes = False, 0
        if self._refused:
            return
        error = fault_of(self.headers, self.parser.get_http_version(), self._options.hosts)
        if error is not None:
            self._refuse(error)
            return
        before = self.under_way
        super().on_headers_complete()
        cycle = self.under_way
        if cycle is not None and cycle is not before:
            cycle.message_event = News()
            if 0 < len(self.pipeline) <= _AHEAD:
                self.flow.resume_reading()  # uvicorn stops, and would not see the client leave
            unframe(cycle)

    def on_body(self, body: bytes) -> None:
        """Pass on a part of the body, unless the request was refused."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Pass on the end of a request, unless it was refused."""
        self._raw_bytes = 0  # the rest of the block may hold many more requests: the parser counts their fields
        if not self._refused:
            super().on_message_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's signature
        """Refuse invalid HTTP with the gateway's own error."""
        self._refuse(GatewayError(INVALID_HTTP, "The request is not valid HTTP/1.1."))

    def _count(self, size: int) -> None:
        self._field_bytes += size
        if len(self.headers) > self._options.headers_max or self._field_bytes > self._options.head_max_bytes:
            self._too_large()

    def _too_large(self) -> None:
        bytes_max, fields_max = self._options.head_max_bytes, self._options.headers_max
        message = f"The head of the request has more than {bytes_max} bytes or {fields_max} fields."
        self._refuse(GatewayError(HEAD_TOO_LARGE, message))

    def on_response_complete(self) -> None:
        """Release the answered request: an idle connection would hold it until the next one."""
        queued = bool(self.pipeline)
        self._running = None
        super().on_response_complete()
        if not (queued or self.cycle.more_body or self._head_open):  # the next one may be arriving already
            self.scope = self.headers = self.cycle = None  # type: ignore[assignment]  # as at the start

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    @property
    def under_way(self) -> RequestResponseCycle | None:
        """Return the current request or None, which uvicorn's types don't allow for."""
        return self.cycle

    def _note(self, size: int) -> None:
        """Update the timer after bytes were read."""
        if self._refused or self.transport.is_closing():
            self._disarm()
        elif self._head_open:
            if self._raw_bytes > self._options.head_max_bytes:
                self._too_large()
            self._arm(self._options.head_s)
        elif self.under_way is not None and self.under_way.more_body:
            self._body_bytes += size
            self._arm(LOOK_S)
        else:
            self._disarm()

    # --- time ----------------------------------------------------------------------------------------------------

    def _arm(self, seconds: float) -> None:
        if self._timer is None:
            self._body_bytes = 0
            self._timer = self.loop.call_later(seconds, self._look)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        """Check that the rest of the head or body arrives fast enough."""
        self._timer = None
        if self._refused or self.transport.is_closing():
            return
        if self._head_open:
            left_s = self._head_since + self._options.head_s - self.loop.time()
            if left_s > 0:
                self._arm(left_s)
            else:
                self._give_up("head")
        elif self.under_way is not None and self.under_way.more_body:
            reading = not self.flow.read_paused
            if reading and self._body_bytes < self._options.body_min_bytes_per_s * LOOK_S:
                self._give_up("body")
            else:
                self._arm(LOOK_S)

    def _give_up(self, part: str) -> None:
        if self._head_open and not self._raw_bytes:
            self.transport.close()  # no request was begun
            return
        self._refuse(GatewayError(REQUEST_TOO_SLOW, f"The {part} of the request took too long."))

    def _refuse(self, error: GatewayError) -> None:
        """Answer with the error, once, and close."""
        if self._refused:
            return
        self._refused = True
        self._disarm()
        if self._running is not None and self._running.response_started:
            self.transport.abort()  # an answer is being sent; the error would be read as a part of it
            return
        status, headers, body = error_response(error, new_request_id())
        phrase = http.HTTPStatus(status).phrase.encode()
        lines = [b"HTTP/1.1 %d %b" % (status, phrase), *[b"%b: %b" % header for header in headers]]
        lines += [b"content-length: %d" % len(body), b"connection: close", b"", body]
        self.transport.write(b"\r\n".join(lines))
        self.transport.close()
