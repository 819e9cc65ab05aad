"""
The routes whose requests are passed on to a provider as their callers wrote them: `/pass/{provider}/*`, files, batches.

They go through the pipeline of such calls (`Gateway.passing`): key, limits, admission, circuits, the ledger. A body is
read whole only if it is JSON; any other is handed on while it arrives.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Final

import msgspec

from app.api.asgi import AsgiSink, ClientWatch, Receive, Scope, Send, read_body
from app.api.dialects.chat import ChatDialect, Verbatim
from app.api.dialects.port import Style
from app.api.headers import answer_headers
from app.api.hot import Arrival, Desk, HotRoute
from app.api.inbound import Headers, credential_of, is_foreign_page
from app.api.places import Place, Places
from app.api.respond import NEVER_S, KeepAlive, relay
from app.api.uploading import Incoming
from app.api.wishes import NO_WISHES, Wishes
from app.core.addresses import asked_in
from app.core.allow_list import AllowList
from app.core.call import AnswerHead, Call
from app.core.clock import Clock
from app.core.errors import FORBIDDEN, UNSUPPORTED_MEDIA_TYPE, GatewayError
from app.core.gateway import Gateway, Passing
from app.core.identity import Caller
from app.core.loops import VIA
from app.core.model import Completion, Operation, PlainRequest, Request
from app.core.signals import CallRefused, ModelForbidden
from app.core.uploads import Upload

# The only request headers that are passed on, besides the type of the body. No credential is among them, nothing that
# chooses an account at the provider, and nothing that makes it call somebody.
_FORWARDED: Final = tuple(
    (name.encode(), name)
    for name in (
        "accept", "anthropic-beta", "anthropic-version", "idempotency-key", "if-match", "openai-beta", "range",
        "traceparent", "tracestate",
    )
)  # fmt: skip
_OWN_LENGTH: Final = "content-length"
_PLAIN: Final = AnswerHead(200, ())


class PassRoute:
    """Everything below some path."""

    def __init__(self, desk: Desk, places: Places) -> None:
        self._desk = desk
        self._places = places

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        await _OnePass(self._desk, scope, self._places)(scope, receive, send)


class _Errand(msgspec.Struct, frozen=True):
    gateway: Gateway
    passing: Passing
    place: Place
    caller: Caller


class _OnePass(HotRoute):
    """One request: a hot route of its own, as its address is not known before."""

    def __init__(self, desk: Desk, scope: Scope, places: Places) -> None:
        self._form = _PassDialect(places.endpoint)
        super().__init__(desk, self._form)
        self._scope = scope
        self._places = places

    async def _serve(self, request_id: str, headers: Headers, receive: Receive, sink: AsgiSink) -> None:
        gateway = self._desk.gateways.current
        try:
            caller = await gateway.identities.identify(credential_of(headers), request_id)
            passing, place = self._places.find(self._scope, headers, gateway)
            self._require(headers, place, caller, request_id)
            errand = _Errand(gateway, passing, place, caller)
            call, watched = await self._read(request_id, headers, receive, errand)
        except GatewayError as error:
            self._desk.listener(CallRefused(request_id, self._form.endpoint, error.kind.status, error.kind.code))
            await sink.whole(*self._form.refusal(error, request_id, None))
            return
        style = self._form.style(call, self._desk.clock)
        try:
            with ClientWatch(watched):
                try:
                    await _pass_on(call, passing, sink, style, self._desk.clock)
                except GatewayError as error:
                    await sink.whole(*self._form.refusal(error, request_id, call.journal))
        except asyncio.CancelledError:
            if not self._desk.lifecycle.cutting:
                raise
            await self._cut_off(call, sink, style)

    def _require(self, headers: Headers, place: Place, caller: Caller, request_id: str) -> None:
        """Refuse a key that may not use everything that the provider has, and pages of others."""
        if caller.models is not None and not AllowList(caller.models).allows(f"{place.provider}/*"):
            self._desk.listener(ModelForbidden(request_id, caller.id))
            message = f"This key may not use everything at {place.provider!r}: it needs the model '{place.provider}/*'."
            raise GatewayError(FORBIDDEN, message)
        if is_foreign_page(headers):
            raise GatewayError(FORBIDDEN, "A web page of another origin may not use the gateway without a key.")
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise GatewayError(UNSUPPORTED_MEDIA_TYPE, "Compressed request bodies are not accepted.")

    async def _read(self, request_id: str, headers: Headers, receive: Receive, errand: _Errand) -> tuple[Call, Receive]:
        """Return the call, and what to watch its client by."""
        gateway, place = errand.gateway, errand.place
        declared = headers.get(b"content-length")
        raw, upload, watched = b"", None, receive
        if _is_json(headers):
            raw = await read_body(receive, declared, gateway.edge.body_max_bytes)
        elif b"transfer-encoding" in headers or (declared or b"0").strip(b"0"):
            length = int(declared) if declared is not None and declared.isdigit() else None
            is_file = place.operation is Operation.FILES
            most = errand.passing.file_max_bytes if is_file else gateway.edge.upload_max_bytes
            upload = Incoming(receive, length, most)
            watched = upload.watched
        self._form.put(place, upload)
        call = self.call(Arrival(request_id, headers, raw, credential_of(headers), errand.caller), gateway.edge)
        via = tuple(header for header in call.headers if header[0] == VIA)
        return msgspec.structs.replace(call, headers=_forwarded(headers) + via), watched


class _PassDialect(ChatDialect):
    """The form of one request: OpenAI's refusals, and nothing read but the model."""

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self.endpoint = endpoint
        self._place: Place
        self._upload: Upload | None = None

    def put(self, place: Place, upload: Upload | None) -> None:
        """Say where the request goes, and what it carries."""
        self._place = place
        self._upload = upload

    def read(self, raw: bytes, headers: Headers) -> tuple[Request, Wishes]:
        """Return what is passed on; of its body only the model's name is looked at."""
        place = self._place
        model, stream = asked_in(place.path, raw) if place.metered else ("*", False)
        request = PlainRequest(
            place.operation,
            f"{place.provider}/{model}",
            raw,
            stream=stream,
            path=place.path,
            media_type=headers.get(b"content-type", b"").decode("latin-1") if raw or self._upload else "",
            method=place.method,
            upload=self._upload,
        )
        return request, NO_WISHES

    def style(self, call: Call, clock: Clock) -> Style:  # noqa: ARG002 - the port's
        """Return what forwards the answer."""
        return _AsItIs(call)


class _AsItIs(Verbatim):
    """An answer of any type: only a stream of events has a place for an error."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._journal = call.journal

    def failure(self, error: GatewayError) -> bytes:
        """Return the error as an event of its own, whatever was being said."""
        head = self._journal.head or _PLAIN
        is_events = dict(head.headers).get("content-type", "").lower().startswith("text/event-stream")
        return b"\n\n" + super().failure(error) if is_events else b""


async def _pass_on(call: Call, passing: Passing, sink: AsgiSink, style: Style, clock: Clock) -> None:
    """
    Send the provider's answer into `sink`.

    Raises:
        GatewayError: The call failed and nothing has been sent yet.
    """
    reply = await passing.handler(call)
    head = call.journal.head or _PLAIN
    given = [(name.encode(), value.encode("latin-1", "replace")) for name, value in head.headers]
    headers = [*given, (b"cache-control", b"no-store"), *answer_headers(call, clock.now())]
    body = reply.body
    if isinstance(body, Completion):
        if body.raw:
            await sink.whole(head.status, [each for each in headers if each[0] != _OWN_LENGTH.encode()], body.raw)
        else:  # nothing, or the answer to a HEAD, whose length is that of what it speaks of
            await sink.head(head.status, headers)
            await sink.end()
        return
    async with aclosing(body):
        await sink.head(head.status, headers)
        async with KeepAlive(sink, NEVER_S) as silent:
            complete = await relay(body, call, sink, style, silent)
    if complete:
        await sink.end()
    else:
        await sink.abort()


def _forwarded(headers: Headers) -> tuple[tuple[str, str], ...]:
    return tuple((name, headers[key].decode("latin-1")) for key, name in _FORWARDED if key in headers)


def _is_json(headers: Headers) -> bool:
    media = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    return media == b"application/json" or media.endswith(b"+json")
