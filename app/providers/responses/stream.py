"""
A streamed answer, from the events of the Responses API to canonical chunks.

Each event keeps its own frame as `native`, so that a client of the same dialect gets it untouched. An answer is
complete with `response.completed` or `response.incomplete`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from app.core.dialects.responses import RESPONSES, Item, Response, ResponseEvent
from app.core.errors import BAD_UPSTREAM_REPLY, TARGET_UNAVAILABLE, GatewayError
from app.core.model import Chunk, Native, StreamEvent, Weight
from app.providers.canonical.chunks import CallPiece, Chunks
from app.providers.canonical.mint import Mint
from app.providers.responses.response import failed, finish_of, nested, text_of, thoughts_of, usage_of
from app.providers.sse import SseFrame, SseFrames, kind_of, named_frame

_EVENT: Final = msgspec.json.Decoder(ResponseEvent)
_NOTHING: Final = Chunk()
_NO_FRAME: Final = Native(RESPONSES, b"")
_NONE: Final = (b"", b"null", b"[]")
_READ: Final = frozenset(
    {
        "response.created", "response.completed", "response.incomplete", "response.failed", "error",
        "response.output_item.added", "response.output_item.done", "response.output_text.delta",
        "response.output_text.annotation.added", "response.refusal.delta", "response.reasoning_text.delta",
        "response.reasoning_summary_text.delta", "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
    }
)  # fmt: skip
_CALLS: Final = ("function_call", "custom_tool_call")


class ResponsesDecoder:
    """Reads one answer of `model`. Without `include_usage` a client of chat completions sees no usage."""

    def __init__(self, model: str, mint: Mint, *, include_usage: bool) -> None:
        self._frames = SseFrames()
        self._model = model
        self._mint = mint
        self._include_usage = include_usage
        self._chunks: Chunks | None = None
        self._calls: dict[int, _Call] = {}
        self.done = False

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Take bytes; see the port."""
        return self._events(self._frames.feed(data))

    def end(self) -> list[StreamEvent]:
        """Take note of the end; see the port."""
        events = self._events(self._frames.flush())
        if not self.done:
            raise GatewayError(TARGET_UNAVAILABLE, "The provider's stream ended before the answer was complete.")
        return events

    def _events(self, frames: list[SseFrame]) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        for frame in frames:
            if self.done:
                break
            if frame.data:
                events += self._frame(frame)
        return events

    def _frame(self, frame: SseFrame) -> Iterator[StreamEvent]:
        event = self._read(frame.data)
        native = Native(RESPONSES, named_frame(frame, event.type))
        for meant in self._meaning(event, frame.data):
            yield msgspec.structs.replace(meant, native=native)
            native = _NO_FRAME
        if native is not _NO_FRAME:
            yield StreamEvent(b"", _NOTHING, Weight.NOTHING, native=native)

    def _read(self, data: bytes) -> ResponseEvent:
        try:
            if not data.isascii():
                data.decode()  # msgspec skips the strings that it does not read, clients will not
            return _EVENT.decode(data)
        except msgspec.ValidationError as error:
            kind = kind_of(data)
            if kind is None or kind in _READ:
                raise _undecodable() from error
            return ResponseEvent(kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _undecodable() from error

    def _meaning(self, event: ResponseEvent, data: bytes) -> Iterator[StreamEvent]:
        """Yield the chunks that an event means; events that we have not heard of mean none."""
        delta = event.delta if isinstance(event.delta, str) else ""
        match event.type:
            case "response.output_text.delta":
                yield self._writing.text(delta, logprobs=_logprobs(event.logprobs))
            case "response.refusal.delta":
                yield self._writing.refusal(delta)
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                yield self._writing.thought(delta)
            case "response.reasoning_summary_part.added" if event.summary_index:
                yield self._writing.thought("\n\n")
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                yield from self._argue(event.output_index, delta)
            case "response.output_text.annotation.added" if bytes(event.annotation) not in _NONE:
                annotation = msgspec.json.decode(event.annotation, type=dict[str, Any])
                yield self._writing.annotated([nested(annotation)])
            case _:
                yield from self._milestone(event, data)

    def _milestone(self, event: ResponseEvent, data: bytes) -> Iterator[StreamEvent]:
        match event.type:
            case "response.created":
                yield self._begin(event.response or Response())
            case "response.output_item.added" if event.item is not None:
                yield from self._open(event.output_index, event.item)
            case "response.output_item.done" if event.item is not None:
                yield from self._close(event.output_index, event.item)
            case "response.completed" | "response.incomplete":
                yield from self._end(event.response or Response())
            case "response.failed":
                raise failed(event.response.error if event.response is not None else msgspec.Raw(b"{}"))
            case "error":
                raise failed(event.error if bytes(event.error) not in _NONE else msgspec.Raw(data))
            case _:
                return

    def _begin(self, response: Response) -> StreamEvent:
        stamp = self._mint.stamp(response.model or self._model, response.id)
        self._chunks = Chunks(stamp, include_usage=self._include_usage)
        return self._chunks.text("")

    @property
    def _writing(self) -> Chunks:
        if self._chunks is None:
            raise GatewayError(BAD_UPSTREAM_REPLY, "The provider's stream did not begin with 'response.created'.")
        return self._chunks

    def _open(self, index: int, item: Item) -> Iterator[StreamEvent]:
        if item.type in _CALLS:
            call = self._calls[index] = _Call(len(self._calls), custom=item.type == "custom_tool_call")
            first = CallPiece(call.position, "", item.call_id or item.id or "", item.name, custom=call.custom)
            yield self._writing.call(first)

    def _argue(self, index: int, delta: str) -> Iterator[StreamEvent]:
        call = self._calls.get(index)
        if call is None:
            raise GatewayError(BAD_UPSTREAM_REPLY, "The provider's stream goes on with a call that never began.")
        call.told = True
        yield self._writing.call(CallPiece(call.position, delta, custom=call.custom))

    def _close(self, index: int, item: Item) -> Iterator[StreamEvent]:
        """Yield what only the whole item tells: reasoning to send back, and arguments that came at once."""
        if item.type == "reasoning":
            thoughts = thoughts_of(item)
            if thoughts:
                yield self._writing.thought("", details=thoughts)
        call = self._calls.get(index)
        text = text_of(item.input if call is not None and call.custom else item.arguments)
        if call is not None and not call.told and text:
            yield self._writing.call(CallPiece(call.position, text, custom=call.custom))

    def _end(self, response: Response) -> Iterator[StreamEvent]:
        self.done = True
        yield self._writing.finish(finish_of(response, called=bool(self._calls)))
        yield from self._writing.closing(None if response.usage is None else usage_of(response.usage))


class _Call:
    """A call under way; `told` says that some of its arguments came."""

    __slots__ = ("custom", "position", "told")

    def __init__(self, position: int, *, custom: bool) -> None:
        self.position = position
        self.custom = custom
        self.told = False


def _undecodable() -> GatewayError:
    return GatewayError(BAD_UPSTREAM_REPLY, "The provider sent an event that is none of the Responses API.")


def _logprobs(raw: msgspec.Raw) -> bytes:
    return b"null" if bytes(raw) in _NONE else b'{"content":%b,"refusal":null}' % bytes(raw)
