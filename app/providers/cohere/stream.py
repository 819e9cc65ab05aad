"""A streamed answer of Cohere, to the canonical form."""

from __future__ import annotations

from collections.abc import Iterator

from app.core.errors import TARGET_FAILED, TARGET_UNAVAILABLE, GatewayError
from app.core.model import StreamEvent
from app.providers.canonical.chunks import CallPiece, Chunks
from app.providers.canonical.mint import Mint
from app.providers.cohere.response import annotations_of, finish_of, read, usage_of
from app.providers.cohere.wire import Event, PieceMessage
from app.providers.sse import SseFrame, SseFrames

_DONE = b"[DONE]"


class CohereDecoder:
    """An answer is complete when `message-end` came."""

    def __init__(self, model: str, mint: Mint, *, include_usage: bool) -> None:
        self._model = model
        self._mint = mint
        self._include_usage = include_usage
        self._frames = SseFrames()
        self._chunks: Chunks | None = None
        self._calls: dict[int, int] = {}  # the call's index to its place, which begins with 0
        self.done = False

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Take bytes as they arrive; see the port."""
        return self._all(self._frames.feed(data))

    def end(self) -> list[StreamEvent]:
        """Take note of the end; see the port."""
        events = self._all(self._frames.flush())
        if not self.done:
            raise GatewayError(TARGET_UNAVAILABLE, "The provider's stream ended before the answer was complete.")
        return events

    def _all(self, frames: list[SseFrame]) -> list[StreamEvent]:
        return [
            event
            for frame in frames
            if not self.done and frame.data.strip() != _DONE
            for event in self._events(read(frame.data, Event))
        ]

    def _events(self, event: Event) -> Iterator[StreamEvent]:
        if self._chunks is None:
            self._chunks = Chunks(self._mint.stamp(self._model, event.id), include_usage=self._include_usage)
        message, chunks = event.delta.message, self._chunks
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
