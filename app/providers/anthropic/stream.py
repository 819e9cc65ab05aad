"""
A streamed answer, from Anthropic's events to canonical chunks.

Each event keeps its own frame as `native`, so that a client of the same dialect gets it untouched. An answer is
complete when a reason for its end was given and then `message_stop` came.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from app.core.dialects.anthropic import ANTHROPIC, Block, Event, EventDelta, Message, MessageUsage
from app.core.errors import BAD_UPSTREAM_REPLY, TARGET_UNAVAILABLE, GatewayError
from app.core.model import Chunk, Native, StreamEvent, Weight
from app.providers.anthropic.errors import error_in_answer
from app.providers.anthropic.response import annotations_of, finish_of, merged, thought_of, usage_of
from app.providers.canonical.chunks import CallPiece, Chunks
from app.providers.canonical.mint import Mint
from app.providers.sse import SseFrame, SseFrames, kind_of, named_frame

_EVENT: Final = msgspec.json.Decoder(Event)
_READ: Final = frozenset(
    {
        "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
        "message_stop", "error",
    }
)  # fmt: skip
_NOTHING: Final = Chunk()
_NO_FRAME: Final = Native(ANTHROPIC, b"")


class AnthropicDecoder:
    """Reads one answer of `model`. Without `include_usage` a client of OpenAI's form sees no usage."""

    def __init__(self, model: str, mint: Mint, *, include_usage: bool) -> None:
        self._frames = SseFrames()
        self._model = model
        self._mint = mint
        self._include_usage = include_usage
        self._chunks: Chunks | None = None
        self._usage = MessageUsage()
        self._blocks: dict[int, _Block] = {}
        self._calls = 0
        self._said = 0
        self._finished = False
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
        native = Native(ANTHROPIC, named_frame(frame, event.type))
        for meant in self._meaning(event):
            yield msgspec.structs.replace(meant, native=native)
            native = _NO_FRAME
        if native is not _NO_FRAME:
            yield StreamEvent(b"", _NOTHING, Weight.NOTHING, native=native)

    def _read(self, data: bytes) -> Event:
        try:
            if not data.isascii():
                data.decode()  # msgspec skips the strings that it does not read, clients will not
            return _EVENT.decode(data)
        except msgspec.ValidationError as error:
            kind = kind_of(data)
            if kind is None or kind in _READ:
                raise _undecodable() from error
            return Event(kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _undecodable() from error

    def _meaning(self, event: Event) -> Iterator[StreamEvent]:
        """Yield the chunks that an event means; events that we have not heard of mean none."""
        match event.type:
            case "message_start":
                yield self._begin(event.message or Message())
            case "content_block_start":
                yield from self._open(event.index, event.content_block or Block(""))
            case "content_block_delta" if event.delta is not None:
                yield from self._more(event.index, event.delta)
            case "content_block_stop":
                yield from self._close(event.index)
            case "message_delta":
                yield from self._conclude(event)
            case "message_stop":
                yield from self._end()
            case "error":
                raise error_in_answer(bytes(event.error) or b"{}")
            case _:
                return

    def _begin(self, message: Message) -> StreamEvent:
        self._usage = message.usage
        stamp = self._mint.stamp(message.model or self._model, message.id)
        self._chunks = Chunks(stamp, include_usage=self._include_usage)
        return self._chunks.text("")

    @property
    def _writing(self) -> Chunks:
        if self._chunks is None:
            raise GatewayError(BAD_UPSTREAM_REPLY, "The provider's stream did not begin with 'message_start'.")
        return self._chunks

    def _open(self, index: int, block: Block) -> Iterator[StreamEvent]:
        opened = self._blocks[index] = _Block(block.type, self._calls, self._said)
        if block.type == "tool_use":
            self._calls += 1
            yield self._writing.call(CallPiece(opened.call, "", block.id, block.name))
            if bytes(block.input) not in {b"", b"{}", b"null"}:  # some servers have it all at once
                yield self._argument(opened, bytes(block.input).decode())
        elif block.type == "redacted_thinking":
            opened.hidden = block
        elif block.text:
            yield self._text(block.text)
        elif block.thinking:
            yield self._thought(opened, block.thinking)

    def _more(self, index: int, delta: EventDelta) -> Iterator[StreamEvent]:
        block = self._blocks.get(index)
        if block is None:
            raise GatewayError(BAD_UPSTREAM_REPLY, "The provider's stream goes on with a block that never began.")
        match delta.type:
            case "text_delta" if delta.text:
                yield self._text(delta.text)
            case "input_json_delta" if delta.partial_json and block.kind == "tool_use":
                yield self._argument(block, delta.partial_json)
            case "thinking_delta" if delta.thinking:
                yield self._thought(block, delta.thinking)
            case "signature_delta":
                block.signature += delta.signature or ""
            case "citations_delta":
                block.citations.append(delta.citation)
            case _:
                return

    def _text(self, text: str) -> StreamEvent:
        self._said += len(text)
        return self._writing.text(text)

    def _argument(self, block: _Block, text: str) -> StreamEvent:
        block.told = True
        return self._writing.call(CallPiece(block.call, text))

    def _thought(self, block: _Block, text: str) -> StreamEvent:
        block.prose.append(text)
        return self._writing.thought(text)

    def _close(self, index: int) -> Iterator[StreamEvent]:
        """Yield what only a whole block tells: reasoning to send back, citations, and that a call has no arguments."""
        block = self._blocks.pop(index, None)
        if block is None:
            return
        if block.kind == "tool_use" and not block.told:
            yield self._writing.call(CallPiece(block.call, "{}"))
        if block.citations:
            raw = msgspec.Raw(msgspec.json.encode(block.citations))
            notes = annotations_of(raw, block.start, self._said)
            if notes:
                yield self._writing.annotated(notes)
        whole = block.hidden
        if block.kind == "thinking":
            whole = Block("thinking", thinking="".join(block.prose), signature=block.signature)
        thought = None if whole is None else thought_of(whole)
        if thought is not None:
            yield self._writing.thought("", details=(thought,))

    def _conclude(self, event: Event) -> Iterator[StreamEvent]:
        if event.usage is not None:
            self._usage = merged(self._usage, event.usage)
        reason = event.delta.stop_reason if event.delta is not None else None
        if reason is not None:
            self._finished = True
            stop_text = event.delta.stop_sequence if event.delta is not None else None
            yield self._writing.finish(finish_of(reason), stop_text=stop_text)

    def _end(self) -> list[StreamEvent]:
        if not self._finished:
            raise GatewayError(TARGET_UNAVAILABLE, "The provider ended its stream without a reason to stop.")
        self.done = True
        return self._writing.closing(usage_of(self._usage))


def _undecodable() -> GatewayError:
    return GatewayError(BAD_UPSTREAM_REPLY, "The provider sent an event that is none of Anthropic's.")


class _Block:
    """
    A block under way.

    `call` is its place among the tool calls, `told` says that some of its arguments came; `start` is where its text
    begins in that of the answer.
    """

    __slots__ = ("call", "citations", "hidden", "kind", "prose", "signature", "start", "told")

    def __init__(self, kind: str, call: int, start: int) -> None:
        self.kind = kind
        self.call = call
        self.start = start
        self.told = False
        self.citations: list[msgspec.Raw] = []
        self.hidden: Block | None = None
        self.prose: list[str] = []
        self.signature = ""
