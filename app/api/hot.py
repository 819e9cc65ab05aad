"""
The routes that calls take, as raw ASGI endpoints: from the request's first byte to the answer's last.

No framework code runs for them, and one broad `except` stands at the end: the edge, where a bug becomes a 500.
"""

from __future__ import annotations

import asyncio
import traceback

import msgspec

from app.api.asgi import AsgiSink, ClientGoneError, ClientWatch, Receive, Scope, Send, read_body
from app.api.dialects.port import Dialect, Style
from app.api.errors import internal_error, stopping
from app.api.inbound import Headers, RequestIds, credential_of, forwarded, headers_of, request_id_of
from app.api.respond import respond
from app.api.taping import TapedSink
from app.api.wishes import merged, sdk_patience_s, wishes_of
from app.core.call import Call, Journal
from app.core.clock import Clock, SystemClock
from app.core.errors import GatewayError
from app.core.gateway import CurrentGateway, EdgeOptions
from app.core.idempotency import fingerprint_of
from app.core.identity import Caller, Credential
from app.core.leaving import Departure, Departures
from app.core.lifecycle import Lifecycle
from app.core.ports import Sink
from app.core.signals import CallRefused, InternalFault, Listener, StreamTrimmed
from app.core.tapes import Taped, Tapes


class Desk(msgspec.Struct, frozen=True):
    """What every hot route needs."""

    gateways: CurrentGateway
    listener: Listener
    clock: Clock
    lifecycle: Lifecycle = msgspec.field(default_factory=Lifecycle)
    ids: RequestIds = msgspec.field(default_factory=RequestIds)
    departures: Departures = msgspec.field(default_factory=Departures)
    tapes: Tapes = msgspec.field(default_factory=lambda: Tapes(SystemClock()))


class Arrival(msgspec.Struct, frozen=True):
    """Who asks, and how: a request as it came."""

    request_id: str
    headers: Headers
    body: bytes
    credential: Credential | None
    caller: Caller


class HotRoute:
    """One endpoint; `dialect` is the form that its clients speak."""

    def __init__(self, desk: Desk, dialect: Dialect) -> None:
        self._desk = desk
        self._dialect = dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = headers_of(scope)
        request_id = request_id_of(headers, self._desk.ids)
        sink = AsgiSink(send)
        try:
            serving = self._serve(request_id, headers, receive, sink)
            del headers
            await serving
        except ClientGoneError:
            return
        except Exception as error:  # noqa: BLE001 - the edge: a bug must not reach the client as anything but a 500
            frames = "".join(traceback.format_tb(error.__traceback__))
            self._desk.listener(InternalFault(request_id, type(error).__name__, frames))
            if sink.begun:
                await sink.abort()
            else:
                await sink.whole(*self._dialect.refusal(internal_error(), request_id, None))

    async def _serve(self, request_id: str, headers: Headers, receive: Receive, sink: AsgiSink) -> None:
        dialect = self._dialect
        gateway = self._desk.gateways.current  # read once: a reload in the meantime does not touch this call
        try:
            credential = credential_of(headers)
            caller = await gateway.identities.identify(credential, request_id)  # a stranger's body is not read
            dialect.require(headers)
            raw = await read_body(receive, headers.get(b"content-length"), gateway.edge.body_max_bytes)
            call = self.call(Arrival(request_id, headers, raw, credential, caller), gateway.edge)
            del headers, raw  # streams last
        except GatewayError as error:
            self._desk.listener(CallRefused(request_id, dialect.endpoint, error.kind.status, error.kind.code))
            await sink.whole(*dialect.refusal(error, request_id, None))
            return
        style = dialect.style(call, self._desk.clock)
        departure = self._departure(call, gateway.edge)
        out = sink if departure is None else self._taped(call, departure, sink, style)
        try:
            with ClientWatch(receive, departure):
                try:
                    await respond(call, gateway, out, style, self._desk.clock)
                except GatewayError as error:
                    await out.whole(*dialect.refusal(error, request_id, call.journal))
                finally:
                    self._note_trimmed(call)
        except asyncio.CancelledError:
            if not self._desk.lifecycle.cutting:
                raise
            await self._cut_off(call, sink, style)

    def _departure(self, call: Call, edge: EdgeOptions) -> Departure | None:
        """Return what decides when the client leaves; None where that ends every call."""
        if edge.leaving is None:
            return None
        return Departure(call, edge.leaving, self._desk.departures, self._desk.listener)

    def _taped(self, call: Call, departure: Departure, sink: AsgiSink, style: Style) -> Sink:
        """Return a sink for an answer that can be resumed, if it is a stream and streams can be."""
        bounds = departure.resume
        if bounds is None or not call.request.stream:
            return sink
        taped = Taped(call.caller.tenant, call.id, style.failure)
        return TapedSink(sink, lambda: self._desk.tapes.open(taped, bounds), departure)

    def _note_trimmed(self, call: Call) -> None:
        if call.journal.trimmed:
            self._desk.listener(StreamTrimmed(call.id, call.journal.trimmed))

    async def _cut_off(self, call: Call, sink: AsgiSink, style: Style) -> None:
        """Say why the answer ends here; an answer of which a part is out is left incomplete."""
        if not sink.begun:
            await sink.whole(*self._dialect.refusal(stopping(), call.id, call.journal))
        elif sink.streaming:
            await sink.part(style.failure(stopping()))

    def call(self, arrival: Arrival, edge: EdgeOptions) -> Call:
        """
        Return what a request asks for.

        Raises:
            GatewayError: It cannot be understood.
        """
        request, said = self._dialect.read(arrival.body, arrival.headers)
        wishes = merged(wishes_of(arrival.headers), said)
        now = self._desk.clock.now()
        patience_s = None if request.stream else sdk_patience_s(arrival.headers)
        repeatable = wishes.options.idempotency_key is not None
        given = (edge.total_s, wishes.timeout_s, patience_s)
        allowed_s = min([seconds for seconds in given if seconds is not None])  # a caller may only lower it
        return Call(
            id=arrival.request_id,
            endpoint=self._dialect.endpoint,
            request=request,
            started=now,
            deadline=now + allowed_s,
            options=wishes.options,
            headers=forwarded(arrival.headers, edge.loop),
            journal=Journal(),
            credential=arrival.credential,
            caller=arrival.caller,
            fingerprint=fingerprint_of(self._dialect.endpoint, arrival.body) if repeatable else b"",
        )
