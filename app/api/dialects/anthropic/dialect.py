"""`POST /v1/messages`: Anthropic's form in and out, whatever speaks behind the gateway."""

from __future__ import annotations

import re

import msgspec

from app.api.dialects.anthropic.answer import message_of
from app.api.dialects.anthropic.errors import message_error_frame, message_refusal
from app.api.dialects.anthropic.request import MessagesReader
from app.api.dialects.anthropic.stream import EventWriter
from app.api.dialects.port import Style
from app.api.headers import Headers as AnswerHeaders
from app.api.inbound import Headers, require_json
from app.api.wishes import NO_WISHES, Wishes
from app.core.call import Call, CallOptions, Journal
from app.core.clock import Clock
from app.core.dialects.anthropic import ANTHROPIC
from app.core.errors import GatewayError
from app.core.model import Completion, Native, Request
from app.core.stream import Batch

# What the original bytes mean may depend on these; they go where those go.
_OF_THE_BODY = ((b"anthropic-version", "anthropic-version"),)
_SESSION = re.compile(rb"[\x21-\x7e]{1,256}")


class MessagesDialect:
    """Messages as Anthropic has them."""

    endpoint = "messages"

    def __init__(self) -> None:
        self._reader = MessagesReader()

    def require(self, headers: Headers) -> None:
        """Take JSON only."""
        require_json(headers)

    def read(self, raw: bytes, headers: Headers) -> tuple[Request, Wishes]:
        """Translate the body; Claude Code's session is the gateway's, unless another is named."""
        request = self._reader.read(raw)
        kept = tuple([(name, headers[key].decode("latin-1")) for key, name in _OF_THE_BODY if key in headers])
        if kept:
            request = msgspec.structs.replace(request, origin=Native(ANTHROPIC, raw, kept))
        session = headers.get(b"x-claude-code-session-id", b"")
        if _SESSION.fullmatch(session):
            return request, Wishes(options=CallOptions(session=session.decode()))
        return request, NO_WISHES

    def style(self, call: Call, clock: Clock) -> Style:  # noqa: ARG002 - the port's
        """Return what writes messages and their events."""
        return MessagesStyle(call)

    def refusal(
        self, error: GatewayError, request_id: str, journal: Journal | None
    ) -> tuple[int, AnswerHeaders, bytes]:
        """Return Anthropic's error object."""
        return message_refusal(error, request_id, journal)


class MessagesStyle:
    """What an Anthropic provider sent, byte for byte; the answers of all others, translated."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._writer: EventWriter | None = None

    @property
    def headers(self) -> AnswerHeaders:
        """Return the request id under the name that Anthropic's SDKs look for."""
        return [(b"request-id", self._call.id.encode())]

    def whole(self, completion: Completion) -> bytes:
        """Return the body of a message."""
        if completion.native is not None and completion.native.dialect == ANTHROPIC:
            return completion.native.raw
        return message_of(completion, self._message_id(), self._call.request.model)

    def part(self, batch: Batch) -> bytes:
        """Return the events of a message."""
        if self._writer is None:
            if all(event.native is not None and event.native.dialect == ANTHROPIC for event in batch):
                return b"".join([event.native.raw for event in batch if event.native is not None])
            self._writer = EventWriter(self._message_id(), self._model())
        return self._writer.events(batch)

    def failure(self, error: GatewayError) -> bytes:
        """Return the error as an event."""
        return message_error_frame(error, self._call.id, self._call.journal)

    def _message_id(self) -> str:
        return f"msg_{self._call.id.removeprefix('req_')}"

    def _model(self) -> str:
        target = self._call.journal.target
        return self._call.request.model if target is None else target.model
