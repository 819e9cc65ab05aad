"""
The routes that calls take, as raw ASGI endpoints: from the request's first byte to the answer's last.

No framework code runs for them, and one broad `except` stands at the end: the edge, where a bug becomes a 500.
"""

from __future__ import annotations

import traceback

import msgspec

from app.api.asgi import AsgiSink, ClientGoneError, ClientWatch, Receive, Scope, Send, read_body
from app.api.decode import ChatDecoder
from app.api.encode import Style, Verbatim, WithMetadata
from app.api.errors import error_response, internal_error
from app.api.generate import read_generate
from app.api.inbound import (
    NO_WISHES,
    Headers,
    RequestIds,
    Wishes,
    caller_of,
    forwarded,
    headers_of,
    merged,
    request_id_of,
    require_json,
    sdk_patience_s,
    wishes_of,
)
from app.api.respond import respond
from app.core.call import Call, Journal
from app.core.clock import Clock
from app.core.errors import GatewayError
from app.core.gateway import CurrentGateway, Gateway
from app.core.model import ChatRequest
from app.core.signals import CallRefused, InternalFault, Listener


class Desk(msgspec.Struct, frozen=True):
    """What every hot route needs."""

    gateways: CurrentGateway
    listener: Listener
    clock: Clock
    ids: RequestIds = msgspec.field(default_factory=RequestIds)


class ChatRoute:
    """`POST /v1/chat/completions`: OpenAI's form in and out."""

    endpoint = "chat"

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._decoder = ChatDecoder()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers = headers_of(scope)
        request_id = request_id_of(headers, self._desk.ids)
        sink = AsgiSink(send)
        try:
            await self._serve(request_id, headers, receive, sink)
        except ClientGoneError:
            return
        except Exception as error:  # noqa: BLE001 - the edge: a bug must not reach the client as anything but a 500
            frames = "".join(traceback.format_tb(error.__traceback__))
            self._desk.listener(InternalFault(request_id, type(error).__name__, frames))
            if sink.begun:
                await sink.abort()
            else:
                await sink.whole(*error_response(internal_error(), request_id))

    async def _serve(self, request_id: str, headers: Headers, receive: Receive, sink: AsgiSink) -> None:
        gateway = self._desk.gateways.current  # read once: a reload in the meantime does not touch this call
        try:
            require_json(headers)
            raw = await read_body(receive, headers.get(b"content-length"), gateway.edge.body_max_bytes)
            request, wishes = self._read(raw)
            call = self._call(request_id, headers, request, merged(wishes_of(headers), wishes), gateway)
        except GatewayError as error:
            self._desk.listener(CallRefused(request_id, self.endpoint, error.kind.status, error.kind.code))
            await sink.whole(*error_response(error, request_id))
            return
        with ClientWatch(receive):
            try:
                await respond(call, gateway, sink, self._style(call), self._desk.clock)
            except GatewayError as error:
                await sink.whole(*error_response(error, request_id, call.journal))

    def _read(self, raw: bytes) -> tuple[ChatRequest, Wishes]:
        return self._decoder.decode(raw), NO_WISHES

    def _style(self, _call: Call) -> Style:
        return Verbatim()

    def _call(self, request_id: str, headers: Headers, request: ChatRequest, wishes: Wishes, gateway: Gateway) -> Call:
        now = self._desk.clock.now()
        patience_s = None if request.stream else sdk_patience_s(headers)
        given = (gateway.edge.total_s, wishes.timeout_s, patience_s)
        allowed_s = min([seconds for seconds in given if seconds is not None])  # a caller may only lower it
        return Call(
            id=request_id,
            endpoint=self.endpoint,
            request=request,
            started=now,
            deadline=now + allowed_s,
            options=wishes.options(),
            headers=forwarded(headers),
            journal=Journal(),
            caller=caller_of(headers),
        )


class GenerateRoute(ChatRoute):
    """`POST /v1/generate`: the gateway's own form in, OpenAI's form plus metadata out."""

    endpoint = "generate"

    def _read(self, raw: bytes) -> tuple[ChatRequest, Wishes]:
        body, wishes = read_generate(raw)
        return self._decoder.decode(body), wishes

    def _style(self, call: Call) -> Style:
        return WithMetadata(call, self._desk.clock)
