"""Writes streamed answers in the canonical form, OpenAI's chunks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from app.core.answers.usage_shown import counts
from app.core.dialects.absent import ABSENT
from app.core.model import Chunk, ChunkChoice, CustomDelta, Delta, FunctionCall, StreamEvent, ToolDelta, Weight
from app.core.usage import Usage
from app.providers.canonical.chat_request import Thought
from app.providers.canonical.stamps import Stamp

DONE: Final = StreamEvent(b"data: [DONE]\n\n", None, Weight.ANSWER, done=True)
_NULL = b"null"


class CallPiece(msgspec.Struct, frozen=True):
    """
    A piece of a tool call: the first one has `id` and `name`, the others more of the arguments.

    `position` is the index of the call in its choice, from 0; `extra_content` must be returned to the provider. The
    input of a `custom` tool is free text, not JSON.
    """

    position: int
    arguments: str = ""
    id: str | None = None
    name: str | None = None
    extra_content: msgspec.Raw = ABSENT
    custom: bool = False


class _Pictured(Delta, frozen=True, omit_defaults=True):
    images: Sequence[object] = ()


class Chunks:
    """
    Builds the events of one streamed answer, in the order of the method calls.

    The first event of each choice carries the role. Usage is always a separate event, which the client sees only if
    it requested it.
    """

    def __init__(self, stamp: Stamp, *, include_usage: bool) -> None:
        head = {"id": stamp.id, "object": "chat.completion.chunk", "created": stamp.created, "model": stamp.model}
        self._head = b'data: %b,"choices":[' % msgspec.json.encode(head)[:-1]
        self._tail = b'}],"usage":null}\n\n' if include_usage else b"}]}\n\n"
        self._include_usage = include_usage
        self._begun: set[int] = set()
        self._encode = msgspec.json.Encoder().encode

    def text(self, text: str, index: int = 0, logprobs: bytes = _NULL) -> StreamEvent:
        """Return an event with more text."""
        weight = Weight.ANSWER if text else Weight.NOTHING
        return self._event(index, Delta(self._role(index), text), weight, logprobs)

    def thought(self, text: str, index: int = 0, details: Sequence[Thought] = ()) -> StreamEvent:
        """Return an event with more reasoning; `details` are signatures and data opaque to all but its provider."""
        raw = msgspec.Raw(self._encode(details)) if details else ABSENT
        delta = Delta(self._role(index), reasoning_content=text or None, reasoning_details=raw)
        return self._event(index, delta, Weight.THOUGHT if text else Weight.NOTHING)

    def refusal(self, text: str, index: int = 0) -> StreamEvent:
        """Return an event with more of a refusal."""
        weight = Weight.ANSWER if text else Weight.NOTHING
        return self._event(index, Delta(self._role(index), refusal=text), weight)

    def annotated(self, annotations: Sequence[object], index: int = 0) -> StreamEvent:
        """Return an event with the sources of the text so far."""
        raw = msgspec.Raw(self._encode(annotations))
        return self._event(index, Delta(self._role(index), annotations=raw), Weight.NOTHING)

    def call(self, piece: CallPiece, index: int = 0) -> StreamEvent:
        """Return an event with a piece of a tool call."""
        function = None if piece.custom else FunctionCall(piece.arguments, piece.name)
        custom = CustomDelta(piece.arguments, piece.name) if piece.custom else None
        kind = None if piece.id is None else "custom" if piece.custom else "function"
        call = ToolDelta(piece.position, function, custom, piece.id, kind, piece.extra_content)
        return self._event(index, Delta(self._role(index), tool_calls=[call]), Weight.ANSWER)

    def pictured(self, images: Sequence[object], index: int) -> StreamEvent:
        """Return an event with pictures, in the form that OpenRouter introduced."""
        return self._event(index, _Pictured(self._role(index), images=images), Weight.ANSWER)

    def returned(self, extra_content: msgspec.Raw, index: int) -> StreamEvent:
        """Return an event with data that must be returned to the provider."""
        return self._event(index, Delta(self._role(index), extra_content=extra_content), Weight.NOTHING)

    def finish(self, reason: str, index: int = 0, *, stop_text: str | None = None) -> StreamEvent:
        """Return the event that ends a choice; `stop_text` is the one of the request's that did."""
        choice = b'{"index":%d,"delta":%b,"logprobs":null,"finish_reason":%b' % (
            index, self._encode(Delta(self._role(index))), self._encode(reason),
        )  # fmt: skip
        meant = ChunkChoice(index, Delta(), reason)
        if stop_text is not None:
            text = self._encode(stop_text)
            choice += b',"stop_reason":%b' % text
            meant = ChunkChoice(index, Delta(), reason, stop_reason=msgspec.Raw(text))
        chunk = Chunk([meant])
        return StreamEvent(b"%b%b%b" % (self._head, choice, self._tail), chunk, Weight.ANSWER)

    def closing(self, usage: Usage | None) -> list[StreamEvent]:
        """Return the last events of a good answer: the usage, and `[DONE]`."""
        if usage is None:
            return [DONE]
        frame = b'%b],"usage":%b}\n\n' % (self._head, self._encode(counts(usage))) if self._include_usage else b""
        return [StreamEvent(frame, Chunk([], usage), Weight.NOTHING), DONE]

    def _role(self, index: int) -> str | None:
        if index in self._begun:
            return None
        self._begun.add(index)
        return "assistant"

    def _event(self, index: int, delta: Delta, weight: Weight, logprobs: bytes = _NULL) -> StreamEvent:
        choice = b'{"index":%d,"delta":%b,"logprobs":%b,"finish_reason":null' % (index, self._encode(delta), logprobs)
        return StreamEvent(b"%b%b%b" % (self._head, choice, self._tail), Chunk([ChunkChoice(index, delta)]), weight)
