"""A streamed answer of Converse, to the canonical form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from app.core.model import Request, StreamEvent
from app.providers.bedrock.errors import error_in_stream
from app.providers.bedrock.eventstream import Message, Messages
from app.providers.bedrock.response import annotation_of, finish_of, thought_of, usage_of
from app.providers.bedrock.wire import WHOSE, Event, Reasoning, ReasoningDelta, ReasoningText, TokenUsage
from app.providers.canonical.chat_request import Thought
from app.providers.canonical.chunks import CallPiece
from app.providers.canonical.decoding import Translating, broken_off, heard
from app.providers.canonical.stamps import Mint


class BedrockDecoder(Translating[Message]):
    """An answer is complete when `messageStop` came and then `metadata`, or the end of the body."""

    def __init__(self, request: Request, mint: Mint) -> None:
        super().__init__(Messages(), request, mint)
        self._calls: dict[int, int] = {}  # the block's index to the call's place
        self._thoughts: dict[int, str] = {}  # the prose of each block of reasoning so far
        self._said = False
        self._told = 0  # characters of the text so far
        self._blocks: dict[int, int] = {}  # where the text of each block begins
        self._stopped = False
        self._usage: TokenUsage | None = None

    def end(self) -> list[StreamEvent]:
        """Take note of the end; see the port."""
        self._frames.flush()  # which raises in the middle of a message
        if not self._stopped:
            raise broken_off()
        return self._close()

    def _frame(self, frame: Message) -> Iterator[StreamEvent]:
        if frame.headers.get(":message-type", "event") != "event":
            raise error_in_stream(frame)
        match frame.headers.get(":event-type"):
            case "contentBlockStart":
                yield from self._start(heard(frame.payload, Event, WHOSE))
            case "contentBlockDelta":
                yield from self._delta(heard(frame.payload, Event, WHOSE))
            case "messageStop":
                stopped = heard(frame.payload, Event, WHOSE)
                yield self._writing.finish(finish_of(stopped.stop_reason, said=self._said))
                self._stopped = True
            case "metadata":
                self._usage = heard(frame.payload, Event, WHOSE).usage
                if self._stopped:
                    yield from self._close()
            case _:  # the beginning of the message, the end of a block, and what there may be one day
                return

    def _start(self, begun: Event) -> Iterator[StreamEvent]:
        use = begun.start.tool_use
        if use is not None:
            self._said = True
            place = self._calls.setdefault(begun.content_block_index, len(self._calls))
            yield self._writing.call(CallPiece(place, "", use.tool_use_id, use.name))

    def _delta(self, given: Event) -> Iterator[StreamEvent]:
        delta = given.delta
        if delta.text:
            self._said = True
            self._blocks.setdefault(given.content_block_index, self._told)
            self._told += len(delta.text)
            yield self._writing.text(delta.text)
        elif delta.tool_use is not None:
            yield self._writing.call(CallPiece(self._calls.get(given.content_block_index, 0), delta.tool_use.input))
        elif delta.reasoning_content is not None:
            yield self._thought(given.content_block_index, delta.reasoning_content)
        elif delta.citation is not None:
            start = self._blocks.get(given.content_block_index, self._told)
            if notes := annotation_of(delta.citation, start, self._told):
                yield self._writing.annotated(notes)

    def _thought(self, block: int, given: ReasoningDelta) -> StreamEvent:
        """Pass prose on as it comes; what the model wants back comes whole, behind its prose."""
        self._thoughts[block] = prose = self._thoughts.get(block, "") + given.text
        details: Sequence[Thought] = ()
        if given.redacted_content is not None:
            details = (thought_of(Reasoning(redacted_content=given.redacted_content)),)
        elif given.signature is not None:
            details = (thought_of(Reasoning(ReasoningText(prose, given.signature))),)
        return self._writing.thought(given.text, details=details)

    def _close(self) -> list[StreamEvent]:
        self.done = True
        return self._writing.closing(usage_of(self._usage))
