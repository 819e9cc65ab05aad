"""`POST /v1/responses`: the format of OpenAI's Responses API in and out, for any provider."""

from __future__ import annotations

from app.api.dialects.port import Dialect, Style
from app.api.dialects.responses.answer import Frame, response_of
from app.api.dialects.responses.request import responses_request
from app.api.dialects.responses.stream import ResponseEvents
from app.api.dialects.translated import TranslatedStyle
from app.api.errors import error_object
from app.api.inbound import Headers
from app.api.request_options import NOTHING_ASKED, RequestOptions
from app.core.call import Call
from app.core.clock import Clock
from app.core.dialects.responses import RESPONSES
from app.core.errors import GatewayError
from app.core.model import ChatRequest, Completion, Request


class ResponsesDialect(Dialect):
    """OpenAI's responses; errors have the format of chat completions."""

    endpoint = "responses"

    def read(self, raw: bytes, headers: Headers) -> tuple[Request, RequestOptions]:  # noqa: ARG002 - the port's
        """Translate the body; this format has no gateway options."""
        return responses_request(raw), NOTHING_ASKED

    def style(self, call: Call, clock: Clock) -> Style:
        """Return a style that writes responses and their events."""
        return ResponsesStyle(call, clock)


class ResponsesStyle(TranslatedStyle):
    """Writes responses and their events."""

    dialect = RESPONSES

    def __init__(self, call: Call, clock: Clock) -> None:
        super().__init__(call)
        self._clock = clock

    def failure(self, error: GatewayError) -> bytes:
        """Return the error as an event."""
        writer = self._writer if isinstance(self._writer, ResponseEvents) else self._fresh()
        return writer.failure(error_object(error, self._call.id, self._call.journal))

    def _whole(self, completion: Completion) -> bytes:
        return response_of(completion, self._frame(), self._call.request.model)

    def _fresh(self) -> ResponseEvents:
        return ResponseEvents(self._frame(), self._model)

    def _frame(self) -> Frame:
        request = self._call.request
        origin = request.origin if isinstance(request, ChatRequest) else None
        return Frame(self._key, b"{}" if origin is None else origin.raw, int(self._clock.wall()))
