"""
Stream large multipart uploads (audio, images) to the provider while they arrive, without buffering them whole.

Streaming starts at the first file, if the model was named before it (SDKs write files last). What is streamed cannot
be sent twice: such a call has one target and one attempt, and is not cached. Small forms are buffered, as all other
bodies are, and so are those that must be read first: for redaction, guards, or the digest of an idempotency key.
"""

from __future__ import annotations

from typing import Final

from app.api.asgi import ClientGoneError, Receive, Scope, declared_bytes, too_large
from app.api.dialects.plain import PlainDialect, is_form
from app.api.hot import Arrival, Desk, HotRoute
from app.api.inbound import Headers
from app.api.request_options import RequestOptions
from app.api.respond import Ready
from app.api.uploading import Incoming
from app.core.call import CallOptions
from app.core.gateway import EdgeOptions, Gateway
from app.core.multipart import Form, FormTail

SMALL_BYTES: Final = 1_048_576  # below this size, being able to retry is worth the memory
_FIELDS_MAX_BYTES: Final = 262_144  # of the fields before the first file
_SINGLE_ATTEMPT: Final = RequestOptions(options=CallOptions(retry=False, fallback=False, caching=False))


class FormRoute(HotRoute):
    """One endpoint that accepts forms with files."""

    def __init__(self, desk: Desk, dialect: PlainDialect) -> None:
        super().__init__(desk, dialect)
        self._plain = dialect

    async def _read(self, arrival: Arrival, scope: Scope, receive: Receive, gateway: Gateway) -> Ready:
        edge, headers = gateway.edge, arrival.headers
        if not edge.hands_forms_on or not _is_large_form(headers):
            return await super()._read(arrival, scope, receive, gateway)
        self._plain.require(headers)
        raw, rest = await _read_beginning(receive, headers, edge)
        if rest is None:
            return Ready(self.call(arrival, raw, edge), gateway.handler, edge, receive)
        request = self._plain.read_form(raw, _media_type(headers), rest)
        return Ready(self._call_of(arrival, raw, (request, _SINGLE_ATTEMPT), edge), gateway.handler, edge, rest.watched)


async def _read_beginning(receive: Receive, headers: Headers, edge: EdgeOptions) -> tuple[bytes, _Rest | None]:
    """Buffer a form until it can be routed; return that beginning and the rest, which is None if all has arrived."""
    length, parts, size, form = declared_bytes(headers), list[bytes](), 0, None
    if length is not None and length > edge.upload_max_bytes:
        raise too_large(edge.upload_max_bytes)
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > edge.body_max_bytes:
            raise too_large(
                edge.body_max_bytes, "Write the field 'model' before the file: such forms need not be held."
            )
        if not message.get("more_body", False):
            return b"".join(parts), None
        if form is None or (form.file_start is None and size <= _FIELDS_MAX_BYTES):
            parts = [b"".join(parts)]
            form = Form(parts[0], _media_type(headers), begun=True)
        if form.file_start is not None and form.value("model") and (length is not None or size > SMALL_BYTES):
            raw, tail = b"".join(parts), FormTail(_media_type(headers))
            tail.look(raw[form.file_start :])
            remaining = None if length is None else length - size
            return raw, _Rest(receive, remaining, edge.upload_max_bytes - size, tail)


class _Rest(Incoming):
    """The rest of a form; checks that it does not name another model."""

    def __init__(self, receive: Receive, length: int | None, max_bytes: int, tail: FormTail) -> None:
        super().__init__(receive, length, max_bytes)
        self._tail = tail

    async def next(self) -> bytes | None:
        """Return the next piece; see the port."""
        piece = await super().next()
        if piece is not None:
            self._tail.look(piece)
        return piece


def _is_large_form(headers: Headers) -> bool:
    length = declared_bytes(headers)
    return is_form(headers) and (length is None or length > SMALL_BYTES) and b"idempotency-key" not in headers


def _media_type(headers: Headers) -> str:
    return headers[b"content-type"].decode("latin-1")
