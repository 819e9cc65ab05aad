"""`POST /v1/messages`: Anthropic's format in and out, for any provider."""

from __future__ import annotations

import re

import msgspec

from app.api.dialects.anthropic.answer import message_of
from app.api.dialects.anthropic.errors import message_error_frame, message_refusal
from app.api.dialects.anthropic.request import messages_request
from app.api.dialects.anthropic.stream import MessageEvents
from app.api.dialects.port import Dialect, Style
from app.api.dialects.translated import TranslatedStyle
from app.api.headers import Headers as AnswerHeaders
from app.api.inbound import Headers
from app.api.request_options import NOTHING_ASKED, RequestOptions
from app.core.call import Call, CallOptions, Journal
from app.core.clock import Clock
from app.core.dialects.anthropic import ANTHROPIC
from app.core.errors import GatewayError
from app.core.model import Completion, Native, Request

# Headers that the meaning of the body depends on; they are kept with the original bytes.
_BODY_HEADERS = ((b"anthropic-version", "anthropic-version"),)
_SESSION = re.compile(rb"[\x21-\x7e]{1,256}")


class MessagesDialect(Dialect):
    """Anthropic's messages."""

    endpoint = "messages"

    def read(self, raw: bytes, headers: Headers) -> tuple[Request, RequestOptions]:
        """Translate the body; Claude Code's session id is the gateway's session, unless another is named."""
        request = messages_request(raw)
        kept = tuple([(name, headers[key].decode("latin-1")) for key, name in _BODY_HEADERS if key in headers])
        if kept:
            request = msgspec.structs.replace(request, origin=Native(ANTHROPIC, raw, kept))
        session = headers.get(b"x-claude-code-session-id", b"")
        if _SESSION.fullmatch(session):
            return request, RequestOptions(options=CallOptions(session=session.decode()))
        return request, NOTHING_ASKED

    def style(self, call: Call, clock: Clock) -> Style:  # noqa: ARG002 - the port's
        """Return a style that writes messages and their events."""
        return MessagesStyle(call)

    def refusal(
        self, error: GatewayError, request_id: str, journal: Journal | None
    ) -> tuple[int, AnswerHeaders, bytes]:
        """Return an error response in Anthropic's format."""
        return message_refusal(error, request_id, journal)


class MessagesStyle(TranslatedStyle):
    """Writes messages and their events."""

    dialect = ANTHROPIC

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self.headers = ((b"request-id", call.id.encode()),)  # the name that Anthropic's SDKs read

    def failure(self, error: GatewayError) -> bytes:
        """Return the error as an event."""
        return message_error_frame(error, self._call.id, self._call.journal)

    def _whole(self, completion: Completion) -> bytes:
        return message_of(completion, f"msg_{self._key}", self._call.request.model)

    def _fresh(self) -> MessageEvents:
        return MessageEvents(f"msg_{self._key}", self._model)
