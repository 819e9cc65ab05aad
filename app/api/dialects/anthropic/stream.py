"""A streamed answer, from canonical chunks to Anthropic's events: message and block borders that chunks do not have."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from app.api.dialects.anthropic.answer import call_id_of, stop_reason_of, thoughts_of, usage_of
from app.api.dialects.one_at_a_time import OneAtATime
from app.core.dialects.anthropic import Block
from app.core.dialects.chat import details_of, stop_text_of, text_of
from app.core.dialects.reasoning import SEAL, ReasoningDetail, hidden_extra
from app.core.model import Chunk, ChunkChoice, ToolDelta
from app.core.stream import Batch
from app.core.usage import Usage

_PING = b'event: ping\ndata: {"type": "ping"}\n\n'
_START = b"event: message_start\ndata: %b\n\n"
_OPEN = b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,"content_block":%b}\n\n'
_DELTA = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":%b}}\n\n'
)
_CLOSE = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
_MESSAGE_DELTA = b"event: message_delta\ndata: %b\n\n"
_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_TEXT = b'{"type":"text","text":""}'
_THINKING = b'{"type":"thinking","thinking":"","signature":""}'


class _Tool:
    """A tool call under way: its block once it has a name, and until then what came of its arguments."""

    __slots__ = ("arguments", "block", "id", "name")

    def __init__(self) -> None:
        self.block: int | None = None
        self.id = ""
        self.name = ""
        self.arguments = ""


class EventWriter:
    """
    Writes the events of one answer. Fresh for each.

    Args:
        message_id: Id of the message.

        model: Name of the model, as the message shows it.
    """

    def __init__(self, message_id: str, model: str) -> None:
        self._id = message_id
        self._model = model
        self._encode = msgspec.json.Encoder().encode
        self._begun = False
        self._blocks = 0  # how many were opened; the last of them is `_open`, or there is none open
        self._open: str | int | None = None  # "text", "thinking", or the position of a tool call
        self._tools: dict[int, _Tool] = {}
        self._turns = OneAtATime()
        self._finish: str | None = None
        self._stop_text: str | None = None
        self._refused = False
        self._usage: Usage | None = None

    def events(self, batch: Batch) -> bytes:
        """Return the events that some chunks mean; may be empty."""
        frames: list[bytes] = []
        for event in batch:
            if event.chunk is not None:
                self._chunk(event.chunk, frames)
            if event.done:
                self._end(frames)
        return b"".join(frames)

    def _chunk(self, chunk: Chunk, frames: list[bytes]) -> None:
        if chunk.usage is not None:
            self._usage = chunk.usage
        for choice in chunk.choices:
            if choice.index == 0:
                self._begin(frames)
                self._choice(choice, frames)

    def _choice(self, choice: ChunkChoice, frames: list[bytes]) -> None:
        delta = choice.delta
        thought = delta.reasoning_content or delta.reasoning
        if thought:
            self._enter("thinking", _THINKING, frames)
            frames.append(self._delta(b"thinking_delta", b"thinking", thought))
        if bytes(delta.reasoning_details):
            self._details(details_of(delta.reasoning_details), frames)
        if bytes(delta.extra_content):
            self._details(hidden_extra(delta.extra_content), frames)
        text = text_of(delta.content) if delta.content else delta.refusal
        if text:
            self._refused |= not delta.content
            self._enter("text", _TEXT, frames)
            frames.append(self._delta(b"text_delta", b"text", text))
        for given in delta.tool_calls or ():
            for piece in self._turns.take(given):
                self._tool(piece, frames)
        if choice.finish_reason:
            self._finish = choice.finish_reason
            self._stop_text = stop_text_of(choice.stop_reason)

    def _details(self, details: Sequence[ReasoningDetail], frames: list[bytes]) -> None:
        """Sign the thought that just came, and write what has no prose; entries without a signature say nothing new."""
        for block in thoughts_of("", details):
            signature = "" if block.signature == SEAL else block.signature
            if signature and self._open == "thinking":
                self._leave(frames, signature)
            elif signature or block.data:
                self._whole(block, frames)

    def _whole(self, block: Block, frames: list[bytes]) -> None:
        self._leave(frames)
        if block.type == "redacted_thinking":
            frames.append(_OPEN % (self._blocks, self._encode(block)))
        else:
            frames.append(_OPEN % (self._blocks, _THINKING))
        self._blocks += 1
        if block.thinking:
            frames.append(self._delta(b"thinking_delta", b"thinking", block.thinking))
        if block.signature:
            frames.append(self._delta(b"signature_delta", b"signature", block.signature))
        frames.append(_CLOSE % (self._blocks - 1))

    def _tool(self, piece: ToolDelta, frames: list[bytes]) -> None:
        tool = self._tools.get(piece.index)
        if tool is None:
            tool = self._tools[piece.index] = _Tool()
        function = piece.function
        tool.id = tool.id or piece.id or ""
        more = ""
        if function is not None:
            tool.name = tool.name or function.name or ""
            more = function.arguments or ""
        if tool.block is None:
            tool.arguments += more
            if not tool.name:
                return
            more, tool.arguments = tool.arguments, ""
            call_id = call_id_of(tool.id, piece.index)
            self._details(hidden_extra(piece.extra_content, call_id), frames)
            tool.block = self._blocks
            shown = {"type": "tool_use", "id": call_id, "name": tool.name, "input": {}}
            self._enter(piece.index, self._encode(shown), frames)
        if more:
            frames.append(_DELTA % (tool.block, b"input_json_delta", b"partial_json", self._encode(more)))

    def _begin(self, frames: list[bytes]) -> None:
        if self._begun:
            return
        self._begun = True
        message = {
            "id": self._id,
            "type": "message",
            "role": "assistant",
            "model": self._model,
            "content": (),
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_of(self._usage),
        }
        frames += [_START % self._encode({"type": "message_start", "message": message}), _PING]

    def _enter(self, kind: str | int, start: bytes, frames: list[bytes]) -> None:
        """Open a block unless it is open."""
        if self._open == kind:
            return
        self._leave(frames)
        frames.append(_OPEN % (self._blocks, start))
        self._blocks += 1
        self._open = kind

    def _leave(self, frames: list[bytes], signature: str = SEAL) -> None:
        """Close the block that is open, if any; a thought that nobody signed is marked as none of Anthropic's."""
        if self._open == "thinking":
            frames.append(self._delta(b"signature_delta", b"signature", signature))
        if self._open is not None:
            frames.append(_CLOSE % (self._blocks - 1))
            self._open = None

    def _delta(self, kind: bytes, member: bytes, text: str) -> bytes:
        return _DELTA % (self._blocks - 1, kind, member, self._encode(text))

    def _end(self, frames: list[bytes]) -> None:
        self._begin(frames)
        for piece in self._turns.rest():
            self._tool(piece, frames)
        self._leave(frames)
        reason = stop_reason_of(self._finish, called=bool(self._tools), stop_text=self._stop_text)
        closing = {
            "type": "message_delta",
            "delta": {"stop_reason": "refusal" if self._refused else reason, "stop_sequence": self._stop_text},
            "usage": usage_of(self._usage),
        }
        frames += [_MESSAGE_DELTA % self._encode(closing), _STOP]
