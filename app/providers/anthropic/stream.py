"""
Translates a streamed answer from Anthropic's events to canonical chunks.

It is complete when `message_stop` arrives after a stop reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from app.core.dialects.anthropic import ANTHROPIC, Block, Event, EventDelta, Message, MessageUsage
from app.core.errors import BAD_UPSTREAM_REPLY, TARGET_UNAVAILABLE, GatewayError
from app.core.model import Request, StreamEvent
from app.providers.anthropic.errors import error_in_answer
from app.providers.anthropic.response import annotations_of, finish_of, merged, thought_of, usage_of
from app.providers.canonical.chunks import CallPiece
from app.providers.canonical.stamps import Mint
from app.providers.canonical.typed_events import Events, NativeDecoder

_UNDERSTOOD: Final = frozenset(
    {
        "message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta",
        "message_stop", "error",
    }
)  # fmt: skip
_EVENTS: Final = Events(ANTHROPIC, Event, _UNDERSTOOD, "Anthropic's", "message_start")


class AnthropicDecoder(NativeDecoder[Event]):
    """Decodes one answer; see `Translating`."""

    def __init__(self, request: Request, mint: Mint) -> None:
        super().__init__(_EVENTS, request, mint)
        self._usage = MessageUsage()
        self._blocks: dict[int, _Block] = {}
        self._calls = 0
        self._said = 0
        self._finished = False

    def _meaning(self, event: Event, data: bytes) -> Iterator[StreamEvent]:  # noqa: ARG002 - see `NativeDecoder`
        match event.type:
            case "message_start":
                message = event.message or Message()
                self._usage = message.usage
                yield self._begin(message.id, message.model).text("")
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

    def _open(self, index: int, block: Block) -> Iterator[StreamEvent]:
        opened = self._blocks[index] = _Block(block.type, self._calls, self._said)
        if block.type == "tool_use":
            self._calls += 1
            yield self._writing.call(CallPiece(opened.call, "", block.id, block.name))
            if bytes(block.input) not in {b"", b"{}", b"null"}:  # some servers send the whole input here
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
        block.has_arguments = True
        return self._writing.call(CallPiece(block.call, text))

    def _thought(self, block: _Block, text: str) -> StreamEvent:
        block.prose.append(text)
        return self._writing.thought(text)

    def _close(self, index: int) -> Iterator[StreamEvent]:
        """Yield what is known only at a block's end: reasoning to send back, citations, empty arguments of a call."""
        block = self._blocks.pop(index, None)
        if block is None:
            return
        if block.kind == "tool_use" and not block.has_arguments:
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


class _Block(msgspec.Struct):
    """
    An open block.

    `call` is its index among the tool calls, `has_arguments` whether any of its arguments arrived; `start` is the
    offset of its text in the text of the answer.
    """

    kind: str
    call: int
    start: int
    has_arguments: bool = False
    citations: list[msgspec.Raw] = []
    hidden: Block | None = None
    prose: list[str] = []
    signature: str = ""
