"""
Recordings and pictures on their way to a provider: forms that are handed on while they arrive, and never held whole.

A form is handed on from where its first file begins, if the model was named before that (SDKs write files last). What
is handed on cannot be sent twice: such a call has one target and one try, and is not cached. Small forms are held, as
all bodies are, and so are those that something has to read first: redaction, guards, the digest of an idempotency key.
"""

from __future__ import annotations

from typing import Final

from app.api.asgi import Message, Receive, Scope, Send
from app.api.dialects.plain import PlainDialect, is_form
from app.api.hot import Desk, HotRoute
from app.api.inbound import Headers, headers_of
from app.api.uploading import Incoming
from app.api.wishes import Wishes
from app.core.call import CallOptions
from app.core.errors import BODY_TOO_LARGE, GatewayError
from app.core.gateway import EdgeOptions
from app.core.model import Request
from app.core.multipart import Form, FormTail

SMALL_BYTES: Final = 1_048_576  # below, a second try is worth more than the memory
_FIELDS_MAX_BYTES: Final = 262_144  # of what stands before the first file
_ONCE: Final = Wishes(options=CallOptions(retry=False, fallback=False, caching=False))
_LENGTH: Final = b"content-length"


class FormRoute(HotRoute):
    """One endpoint that takes forms with files."""

    def __init__(self, desk: Desk, dialect: PlainDialect) -> None:
        super().__init__(desk, dialect)
        self._plain = dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        headers, edge = headers_of(scope), self._desk.gateways.current.edge
        if not edge.hands_forms_on or not _is_large_form(headers):
            await super().__call__(scope, receive, send)
            return
        body = _FormBody(receive, headers, edge)
        others = [header for header in scope["headers"] if header[0] != _LENGTH]  # of which the bound is another one
        await HotRoute(self._desk, _Begun(self._plain, body))({**scope, "headers": others}, body.receive, send)


class _FormBody:
    """
    One form as it arrives: first, as one message, what has to be known of it, then nothing but news of the client.

    `rest` is what follows that, None if nothing does.
    """

    def __init__(self, receive: Receive, headers: Headers, edge: EdgeOptions) -> None:
        declared = headers.get(_LENGTH, b"")
        self._receive = receive
        self._media_type = headers[b"content-type"].decode("latin-1")
        self._length = int(declared) if declared.isdigit() else None
        self._edge = edge
        self._begun = False
        self.rest: Incoming | None = None

    async def receive(self) -> Message:
        """
        Return the beginning, and later the news.

        Raises:
            GatewayError: BODY_TOO_LARGE.
        """
        if self._begun:
            return await (self._receive() if self.rest is None else self.rest.watched())
        self._begun = True
        most = self._edge.upload_max_bytes
        if self._length is not None and self._length > most:
            raise GatewayError(BODY_TOO_LARGE, f"The body is larger than {most} bytes.")
        return await self._begin()

    async def _begin(self) -> Message:
        """Hold the form until it is known what it asks for, or until all of it has come."""
        parts, size, form = list[bytes](), 0, None
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                return message
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if not message.get("more_body", False):
                return _complete(parts)
            if form is None or (form.file_start is None and size <= _FIELDS_MAX_BYTES):
                parts = [b"".join(parts)]
                form = Form(parts[0], self._media_type, begun=True)
            if form.file_start is not None and self._may_go_on(form, size):
                beginning = _complete(parts)
                left = None if self._length is None else self._length - size
                tail = FormTail(self._media_type)
                tail.look(beginning["body"][form.file_start :])
                self.rest = _Rest(self._receive, left, self._edge.upload_max_bytes - size, tail)
                return beginning
            if size > self._edge.body_max_bytes:
                raise _held_too_large(self._edge.body_max_bytes)

    def _may_go_on(self, form: Form, size: int) -> bool:
        return bool(form.value("model")) and (self._length is not None or size > SMALL_BYTES)


class _Rest(Incoming):
    """What follows the beginning, which may not name another model."""

    def __init__(self, receive: Receive, length: int | None, max_bytes: int, tail: FormTail) -> None:
        super().__init__(receive, length, max_bytes)
        self._tail = tail

    async def next(self) -> bytes | None:
        """Return the next piece; see the port."""
        piece = await super().next()
        if piece is not None:
            self._tail.look(piece)
        return piece


def _complete(parts: list[bytes]) -> Message:
    return {"type": "http.request", "body": b"".join(parts), "more_body": False}


def _held_too_large(max_bytes: int) -> GatewayError:
    advice = "Write the field 'model' before the file: such forms need not be held."
    return GatewayError(BODY_TOO_LARGE, f"The body is larger than {max_bytes} bytes.", suggestion=advice)


class _Begun:
    """The form of one request, whose dialect is that of its endpoint."""

    def __init__(self, plain: PlainDialect, body: _FormBody) -> None:
        self._plain = plain
        self._body = body
        self.endpoint = plain.endpoint
        self.require = plain.require
        self.style = plain.style
        self.refusal = plain.refusal

    def read(self, raw: bytes, headers: Headers) -> tuple[Request, Wishes]:
        """Read what is there of the form."""
        rest = self._body.rest
        if rest is None:
            return self._plain.read(raw, headers)
        return self._plain.read_form(raw, headers[b"content-type"].decode("latin-1"), rest), _ONCE


def _is_large_form(headers: Headers) -> bool:
    declared = headers.get(_LENGTH, b"")
    small = declared.isdigit() and int(declared) <= SMALL_BYTES
    return is_form(headers) and not small and b"idempotency-key" not in headers
