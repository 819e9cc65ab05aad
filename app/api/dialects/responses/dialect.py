"""`POST /v1/responses`: OpenAI's newer form in and out, whatever speaks behind the gateway."""

from __future__ import annotations

from app.api.dialects.chat import ChatDialect
from app.api.dialects.port import Style
from app.api.dialects.responses.answer import Frame, response_of
from app.api.dialects.responses.request import ResponsesReader
from app.api.dialects.responses.stream import EventWriter
from app.api.errors import error_object
from app.api.headers import Headers as AnswerHeaders
from app.api.inbound import Headers
from app.api.wishes import NO_WISHES, Wishes
from app.core.call import Call
from app.core.clock import Clock
from app.core.dialects.responses import RESPONSES
from app.core.errors import GatewayError
from app.core.model import ChatRequest, Completion, Request
from app.core.stream import Batch


class ResponsesDialect(ChatDialect):
    """Responses as OpenAI has them, refused as chat completions are."""

    endpoint = "responses"

    def __init__(self) -> None:
        super().__init__()
        self._reader = ResponsesReader()

    def read(self, raw: bytes, headers: Headers) -> tuple[Request, Wishes]:  # noqa: ARG002 - the port's
        """Translate the body, which has no word for wishes."""
        return self._reader.read(raw), NO_WISHES

    def style(self, call: Call, clock: Clock) -> Style:
        """Return what writes responses and their events."""
        return ResponsesStyle(call, clock)


class ResponsesStyle:
    """What a provider of the same dialect sent, byte for byte; the answers of all others, translated."""

    def __init__(self, call: Call, clock: Clock) -> None:
        self._call = call
        self._clock = clock
        self._writer: EventWriter | None = None

    @property
    def headers(self) -> AnswerHeaders:
        """Return none of its own."""
        return []

    def whole(self, completion: Completion) -> bytes:
        """Return the body of a response."""
        if completion.native is not None and completion.native.dialect == RESPONSES:
            return completion.native.raw
        return response_of(completion, self._frame(), self._call.request.model)

    def part(self, batch: Batch) -> bytes:
        """Return the events of a response."""
        if self._writer is None:
            if all(event.native is not None and event.native.dialect == RESPONSES for event in batch):
                return b"".join([event.native.raw for event in batch if event.native is not None])
            self._writer = self._fresh()
        return self._writer.events(batch)

    def failure(self, error: GatewayError) -> bytes:
        """Return the error as an event."""
        writer = self._writer or self._fresh()
        return writer.failure(error_object(error, self._call.id, self._call.journal))

    def _fresh(self) -> EventWriter:
        target = self._call.journal.target
        return EventWriter(self._frame(), self._call.request.model if target is None else target.model)

    def _frame(self) -> Frame:
        request = self._call.request
        origin = request.origin if isinstance(request, ChatRequest) else None
        body = b"{}" if origin is None else origin.raw
        return Frame(self._call.id.removeprefix("req_"), body, int(self._clock.wall()))
