"""
Hot routes: the raw ASGI endpoints that serve calls, without any framework code.

One broad `except`, at the outermost level, turns a bug into a 500.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Awaitable
from math import inf

import msgspec

from app.api.asgi import AsgiSink, ClientGoneError, ClientWatch, Receive, Scope, Send, read_body
from app.api.dialects.port import Dialect, Style
from app.api.errors import internal_error, stopping
from app.api.headers import Headers as AnswerHeaders
from app.api.headers import overhead_header
from app.api.inbound import FORWARDED, Headers, RequestIds, credential_of, forwarded, headers_of, request_id_of
from app.api.request_options import NOTHING_ASKED, RequestOptions, merged, request_options_of, sdk_patience_s
from app.api.respond import Ready, respond
from app.api.taping import TapedSink
from app.core.call import Call, Journal
from app.core.clock import Clock, SystemClock
from app.core.disconnects import Departure
from app.core.errors import NOT_CACHED, GatewayError
from app.core.gateway import CurrentGateway, EdgeOptions, Gateway
from app.core.idempotency import fingerprint_of
from app.core.identity import Caller, Credential
from app.core.lifecycle import Lifecycle
from app.core.model import Request
from app.core.ports import Sink
from app.core.signals import CallRefused, InternalFault, Listener
from app.core.tapes import Taped, Tapes
from app.core.traffic.memory import Slots


class Desk(msgspec.Struct, frozen=True):
    """The dependencies of every hot route."""

    gateways: CurrentGateway
    listener: Listener
    clock: Clock
    lifecycle: Lifecycle = msgspec.field(default_factory=Lifecycle)
    ids: RequestIds = msgspec.field(default_factory=RequestIds)
    drains: Slots = msgspec.field(default_factory=Slots)
    tapes: Tapes = msgspec.field(default_factory=lambda: Tapes(SystemClock()))


class Arrival(msgspec.Struct, frozen=True):
    """What is known of a request before its body is read: id, headers, and the authenticated caller."""

    request_id: str
    headers: Headers
    credential: Credential | None
    caller: Caller


class HotRoute:
    """
    One endpoint; `dialect` is the wire format of its clients.

    A request is read (`_read`), then answered (`_answer`). Subclasses override how it is read.
    """

    forwards = FORWARDED  # request headers that are sent to the provider

    def __init__(self, desk: Desk, dialect: Dialect) -> None:
        self._desk = desk
        self._dialect = dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        gateway = self._desk.gateways.current  # read once, so a reload does not affect this call
        headers = headers_of(scope)
        request_id = request_id_of(headers, self._desk.ids)
        sink = AsgiSink(send)
        try:
            try:
                credential = credential_of(headers)
                caller = await gateway.identities.identify(credential, request_id)  # before the body is read
                ready = await self._read(Arrival(request_id, headers, credential, caller), scope, receive, gateway)
                del headers, credential, caller  # free the memory: a stream may last long
            except GatewayError as error:
                self._desk.listener(CallRefused(request_id, self._dialect.endpoint, error.kind.status, error.kind.code))
                await sink.whole(*self._dialect.refusal(error, request_id, None))
            else:
                await self._answer(ready, sink)
        except ClientGoneError:
            return
        except Exception as error:  # noqa: BLE001 - the edge: a bug must become a 500 and nothing else
            frames = "".join(traceback.format_tb(error.__traceback__))
            self._desk.listener(InternalFault(request_id, type(error).__name__, frames))
            if sink.begun:
                await sink.abort()
            else:
                await sink.whole(*self._dialect.refusal(internal_error(), request_id, None))

    async def _read(self, arrival: Arrival, scope: Scope, receive: Receive, gateway: Gateway) -> Ready:  # noqa: ARG002 - for subclasses
        """
        Read the request's body and return its call.

        Raises:
            GatewayError: The request is invalid or not allowed.
        """
        self._dialect.require(arrival.headers)
        raw = await read_body(receive, arrival.headers, gateway.edge.body_max_bytes)
        return Ready(self.call(arrival, raw, gateway.edge), gateway.handler, gateway.edge, receive)

    async def _answer(self, ready: Ready, sink: AsgiSink) -> None:
        """Run the call and send its answer or refusal, watching for a disconnect throughout."""
        call, leaving = ready.call, ready.edge.leaving
        style = self._dialect.style(call, self._desk.clock)
        departure: Departure | None = None  # without `leaving`, a disconnect ends the call
        out: Sink = sink
        if leaving is not None:
            departure = Departure(call, leaving, self._desk.drains, self._desk.listener)
            out = self._taped(call, departure, sink, style)
        try:
            with ClientWatch(ready.client, departure):
                try:
                    await self._respond(ready, out, style)
                except GatewayError as error:
                    await out.whole(*self._refusal(error, call))
        except asyncio.CancelledError:
            if not self._desk.lifecycle.cutting:
                raise
            await self._cut_off(call, sink, style)

    def _respond(self, ready: Ready, sink: Sink, style: Style) -> Awaitable[None]:
        """Return the awaitable that sends the answer; a coroutine here would be one more frame for every event."""
        return respond(ready, sink, style, self._desk.clock, self._desk.listener)

    def _taped(self, call: Call, departure: Departure, sink: AsgiSink, style: Style) -> Sink:
        """Return a sink that records the answer for resumption, if it is a stream and resumption is enabled."""
        bounds = departure.resume
        if bounds is None or not call.request.stream:
            return sink
        taped = Taped(call.caller.tenant, call.id, style.failure)
        return TapedSink(sink, lambda: self._desk.tapes.open(taped, bounds), departure)

    async def _cut_off(self, call: Call, sink: AsgiSink, style: Style) -> None:
        """Send why the process stops the call: as a refusal, or an event; an answer that has begun stays incomplete."""
        if not sink.begun:
            await sink.whole(*self._refusal(stopping(), call))
        elif sink.streaming:
            await sink.part(style.failure(stopping()))

    def _refusal(self, error: GatewayError, call: Call) -> tuple[int, AnswerHeaders, bytes]:
        status, headers, body = self._dialect.refusal(error, call.id, call.journal)
        return status, [*headers, overhead_header(call, self._desk.clock.now())], body

    def call(self, arrival: Arrival, body: bytes, edge: EdgeOptions) -> Call:
        """
        Return the call that a request asks for.

        Raises:
            GatewayError: The body is invalid.
        """
        return self._call_of(arrival, body, self._dialect.read(body, arrival.headers), edge)

    def _call_of(self, arrival: Arrival, body: bytes, read: tuple[Request, RequestOptions], edge: EdgeOptions) -> Call:
        """Return the call for what was `read` from the body: a request and its options."""
        request, body_options = read
        effective = request_options_of(arrival.headers)
        if body_options is not NOTHING_ASKED:
            effective = merged(effective, body_options)
        options = effective.options
        if not edge.caches and "only-if-cached" in options.directives:
            raise GatewayError(NOT_CACHED, "There is no cache, and so no stored answer.")
        now = self._desk.clock.now()
        patience_s = None if request.stream else sdk_patience_s(arrival.headers)
        allowed_s = min(edge.total_s, effective.timeout_s or inf, patience_s or inf)  # a caller may only lower it
        return Call(
            id=arrival.request_id,
            endpoint=self._dialect.endpoint,
            request=request,
            started=now,
            deadline=now + allowed_s,
            options=options,
            headers=forwarded(arrival.headers, self.forwards, edge.loop),
            journal=Journal(),
            credential=arrival.credential,
            caller=arrival.caller,
            fingerprint=b"" if options.idempotency_key is None else fingerprint_of(self._dialect.endpoint, body),
        )
