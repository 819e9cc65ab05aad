"""A streamed answer of Cohere, to the canonical form."""

from __future__ import annotations

from collections.abc import Iterator

from app.core.errors import TARGET_FAILED, GatewayError
from app.core.model import StreamEvent
from app.providers.canonical.chunks import CallPiece, Chunks
from app.providers.canonical.heard import heard
from app.providers.canonical.mint import Mint
from app.providers.canonical.translating import Translating
from app.providers.cohere.response import WHOSE, annotations_of, finish_of, usage_of
from app.providers.cohere.wire import Event, PieceMessage
from app.providers.sse import SseFrame, SseFrames

_DONE = b"[DONE]"


class CohereDecoder(Translating[SseFrame]):
    """An answer is complete when `message-end` came."""

    def __init__(self, model: str, mint: Mint, *, include_usage: bool) -> None:
        super().__init__(SseFrames(), model, mint, include_usage=include_usage)
        self._calls: dict[int, int] = {}  # the call's index to its place, which begins with 0

    def _frame(self, frame: SseFrame) -> Iterator[StreamEvent]:
        if frame.data.strip() == _DONE:
            return
        event = heard(frame.data, Event, WHOSE)
        message, chunks = event.delta.message, self._chunks or self._begin(event.id)
        match event.type:
            case "content-start" | "content-delta":
                yield from self._content(message, chunks)
            case "tool-plan-delta" if message.tool_plan:
                yield chunks.thought(message.tool_plan)
            case "tool-call-start" | "tool-call-delta":
                yield from self._call(event, chunks)
            case "citation-start" if message.citations is not None and (notes := annotations_of(message.citations)):
                yield chunks.annotated(notes)
            case "message-end":
                if event.delta.error:
                    raise GatewayError(TARGET_FAILED, "The provider could not finish its answer.")
                yield chunks.finish(finish_of(event.delta.finish_reason or "COMPLETE"))
                self.done = True
                yield from chunks.closing(usage_of(event.delta.usage))
            case _:  # the message's beginning, the ends of its parts
                return

    def _content(self, message: PieceMessage, chunks: Chunks) -> Iterator[StreamEvent]:
        content = message.content
        if content is None:
            return
        if content.thinking:
            yield chunks.thought(content.thinking)
        if content.text:
            yield chunks.text(content.text)

    def _call(self, event: Event, chunks: Chunks) -> Iterator[StreamEvent]:
        call = event.delta.message.tool_calls
        if call is None:
            return
        place = self._calls.setdefault(event.index, len(self._calls))
        begins = event.type == "tool-call-start"
        yield chunks.call(
            CallPiece(
                place,
                call.function.arguments,
                (call.id or self._mint.fresh("call_")) if begins else None,
                call.function.name if begins else None,
            )
        )
