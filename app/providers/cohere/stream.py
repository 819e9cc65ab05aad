"""A streamed answer of Cohere, to the canonical form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.core.dialects.absent import is_given
from app.core.errors import TARGET_FAILED, GatewayError
from app.core.model import Request, StreamEvent
from app.providers.canonical.chunks import CallPiece, Chunks
from app.providers.canonical.decoding import Translating, heard
from app.providers.canonical.stamps import Mint
from app.providers.cohere.response import WHOSE, annotations_of, finish_of, usage_of
from app.providers.cohere.wire import Event, EventDelta, PieceMessage, ToolCall
from app.providers.sse import SseFrame, SseFrames

_DONE = b"[DONE]"
# The events that add something; the others tell where the message and its parts begin and end.
_SAYING: Final = frozenset(
    {"content-start", "content-delta", "tool-plan-delta", "tool-call-start", "tool-call-delta", "citation-start"}
)


class CohereDecoder(Translating[SseFrame]):
    """An answer is complete when `message-end` came."""

    def __init__(self, request: Request, mint: Mint) -> None:
        super().__init__(SseFrames(), request, mint)
        self._calls: dict[int, int] = {}  # the call's index to its place, which begins with 0

    def _frame(self, frame: SseFrame) -> Iterator[StreamEvent]:
        if frame.data.strip() == _DONE:
            return
        event = heard(frame.data, Event, WHOSE)
        chunks = self._chunks or self._begin(event.id)
        if event.type == "message-end":
            yield from self._end(event.delta, chunks)
        elif event.type in _SAYING and is_given(event.delta.message):
            yield from self._piece(event, heard(bytes(event.delta.message), PieceMessage, WHOSE), chunks)

    def _end(self, delta: EventDelta, chunks: Chunks) -> Iterator[StreamEvent]:
        if delta.error:
            raise GatewayError(TARGET_FAILED, "The provider could not finish its answer.")
        yield chunks.finish(finish_of(delta.finish_reason or "COMPLETE"))
        self.done = True
        yield from chunks.closing(usage_of(delta.usage))

    def _piece(self, event: Event, piece: PieceMessage, chunks: Chunks) -> Iterator[StreamEvent]:
        if piece.tool_plan:
            yield chunks.thought(piece.tool_plan)
        if piece.content is not None and piece.content.thinking:
            yield chunks.thought(piece.content.thinking)
        if piece.content is not None and piece.content.text:
            yield chunks.text(piece.content.text)
        if piece.tool_calls is not None:
            yield self._call(event, piece.tool_calls, chunks)
        if piece.citations is not None and (notes := annotations_of(piece.citations)):
            yield chunks.annotated(notes)

    def _call(self, event: Event, call: ToolCall, chunks: Chunks) -> StreamEvent:
        place = self._calls.setdefault(event.index, len(self._calls))
        begins = event.type == "tool-call-start"
        return chunks.call(
            CallPiece(
                place,
                call.function.arguments,
                (call.id or self._mint.fresh("call_")) if begins else None,
                call.function.name if begins else None,
            )
        )
