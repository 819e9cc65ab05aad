"""
Passthrough routes: requests sent to a provider as their callers wrote them (`/pass/{provider}/*`, files, batches).

They have a pipeline of their own (`Gateway.passing`): key, limits, admission, circuits, the ledger. Only JSON bodies
are buffered; all others are streamed to the provider while they arrive.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from contextlib import aclosing
from types import MappingProxyType
from typing import Final

import msgspec

from app.api.asgi import Receive, Scope, declared_bytes, read_body
from app.api.dialects.chat import ChatDialect, Verbatim
from app.api.dialects.port import Style
from app.api.headers import answer_headers
from app.api.hot import Arrival, Desk, HotRoute
from app.api.inbound import Headers, is_foreign_page, media_type_of, refuse_compressed
from app.api.passthrough_places import Place, Places
from app.api.request_options import NOTHING_ASKED
from app.api.respond import NEVER_S, Ready, relay
from app.api.uploading import Incoming
from app.core.addresses import asked_in
from app.core.allow_list import AllowList
from app.core.bodies import Upload
from app.core.call import AnswerHead, Call
from app.core.clock import Clock
from app.core.errors import FORBIDDEN, GatewayError
from app.core.gateway import Gateway
from app.core.model import Completion, Operation, PlainRequest
from app.core.ports import Sink
from app.core.routing.table import RoutingTable
from app.core.signals import CallForbidden

# The only request headers that are passed on, besides the content type: no credential, nothing that selects an account
# at the provider, nothing that makes it call another host.
_FORWARDED: Final[Mapping[bytes, str]] = MappingProxyType({
    name.encode(): name
    for name in (
        "accept", "anthropic-beta", "anthropic-version", "idempotency-key", "if-match", "openai-beta", "range",
        "traceparent", "tracestate",
    )
})  # fmt: skip
_CONTENT_LENGTH: Final = "content-length"
_PLAIN: Final = AnswerHead(200, ())


class PassRoute(HotRoute):
    """Serves all requests whose destinations `places` resolves."""

    forwards = _FORWARDED

    def __init__(self, desk: Desk, places: Places) -> None:
        super().__init__(desk, _PassDialect(places.endpoint))
        self._places = places

    async def _read(self, arrival: Arrival, scope: Scope, receive: Receive, gateway: Gateway) -> Ready:
        headers, edge = arrival.headers, gateway.edge
        passing, place = self._places.find(scope, headers, gateway)
        self._require(arrival, place, gateway.routing)
        raw, upload, client = b"", None, receive
        length = declared_bytes(headers)
        if _is_json(headers):
            raw = await read_body(receive, headers, edge.body_max_bytes)
        elif length or b"transfer-encoding" in headers:
            is_file = place.operation is Operation.FILES
            upload = Incoming(receive, length, passing.file_max_bytes if is_file else edge.upload_max_bytes)
            client = upload.watched
        call = self._call_of(arrival, raw, (_request(place, headers, raw, upload), NOTHING_ASKED), edge)
        bound = msgspec.structs.replace(edge, leaving=None)  # a disconnect ends the call
        return Ready(call, passing.handler, bound, client)

    def _respond(self, ready: Ready, sink: Sink, style: Style) -> Awaitable[None]:
        return _pass_on(ready, sink, style, self._desk.clock)

    def _require(self, arrival: Arrival, place: Place, routing: RoutingTable) -> None:
        """Refuse keys that may not use all models of the provider, pages of other origins, and compressed bodies."""
        caller, headers = arrival.caller, arrival.headers
        allowed = AllowList(("*",) if caller.models is None else map(routing.canonical, caller.models))
        if not allowed.allows(f"{place.provider}/*"):
            self._desk.listener(CallForbidden(arrival.request_id, caller.id))
            message = f"This key may not use everything at {place.provider!r}: it needs the model '{place.provider}/*'."
            raise GatewayError(FORBIDDEN, message)
        if caller.roles is not None:  # message roles cannot be enforced in a body that is not parsed
            self._desk.listener(CallForbidden(arrival.request_id, caller.id))
            raise GatewayError(FORBIDDEN, "This key may only send messages of certain roles, and nothing else.")
        if is_foreign_page(headers):
            raise GatewayError(FORBIDDEN, "A web page of another origin may not use the gateway without a key.")
        refuse_compressed(headers)


class _PassDialect(ChatDialect):
    """Refuses as OpenAI does, and leaves answers unchanged; the route reads the requests itself."""

    def __init__(self, endpoint: str) -> None:
        super().__init__()
        self.endpoint = endpoint

    def style(self, call: Call, clock: Clock) -> Style:  # noqa: ARG002 - the port's
        """Return a style that forwards the answer."""
        return _AsItIs(call)


class _AsItIs(Verbatim):
    """Writes an answer of any type; only a stream of events can carry an error."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._journal = call.journal

    def failure(self, error: GatewayError) -> bytes:
        """Return the error as an event, after blank lines that end a partial one; nothing for other media types."""
        head = self._journal.head or _PLAIN
        is_events = dict(head.headers).get("content-type", "").lower().startswith("text/event-stream")
        return b"\n\n" + super().failure(error) if is_events else b""


def _request(place: Place, headers: Headers, raw: bytes, upload: Upload | None) -> PlainRequest:
    """Return the request to pass on; only `model` and `stream` are read from its body."""
    model, stream = asked_in(place.path, raw) if place.metered else ("*", False)
    return PlainRequest(
        place.operation,
        f"{place.provider}/{model}",
        raw,
        stream=stream,
        path=place.path,
        media_type=headers.get(b"content-type", b"").decode("latin-1") if raw or upload else "",
        method=place.method,
        upload=upload,
    )


async def _pass_on(ready: Ready, sink: Sink, style: Style, clock: Clock) -> None:
    """
    Send the provider's answer into `sink`.

    Raises:
        GatewayError: The call failed and nothing has been sent yet.
    """
    call = ready.call
    reply = await ready.handler(call)
    head = call.journal.head or _PLAIN
    upstream = [(name.encode(), value.encode("latin-1", "replace")) for name, value in head.headers]
    headers = [*upstream, (b"cache-control", b"no-store"), *answer_headers(call, clock.now())]
    body = reply.body
    if isinstance(body, Completion):
        if body.raw:
            await sink.whole(head.status, [each for each in headers if each[0] != _CONTENT_LENGTH.encode()], body.raw)
        else:  # no body, or the answer to a HEAD, whose content-length is that of the GET
            await sink.head(head.status, headers)
            await sink.end()
        return
    async with aclosing(body):
        await sink.head(head.status, headers)
        complete = await relay(body, call, sink, style, NEVER_S)
    if complete:
        await sink.end()
    else:
        await sink.abort()


def _is_json(headers: Headers) -> bool:
    media = media_type_of(headers)
    return media == b"application/json" or media.endswith(b"+json")
