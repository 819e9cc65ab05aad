"""Translate a stream of canonical chunks to Anthropic's events, adding the boundaries of messages and blocks."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from app.api.dialects.anthropic.answer import call_id_of, stop_reason_of, thoughts_of, usage_of
from app.api.dialects.events import EventWriter
from app.core.dialects.anthropic import Block
from app.core.dialects.chat import details_of, stop_text_of, text_of
from app.core.dialects.reasoning import SEAL, ReasoningDetail, hidden_extra
from app.core.model import ChunkChoice, ToolDelta

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


class _Tool(msgspec.Struct):
    """A tool call in progress: the index of its block once it has a name; until then its buffered arguments."""

    block: int | None = None
    id: str = ""
    name: str = ""
    arguments: str = ""


class MessageEvents(EventWriter):
    """Writes the events of one message."""

    def __init__(self, message_id: str, model: str) -> None:
        super().__init__(model)
        self._id = message_id
        self._blocks = 0  # number of blocks started; only the last of them may be open
        self._open: str | int | None = None  # "text", "thinking", or the position of a tool call
        self._tools: dict[int, _Tool] = {}
        self._refused = False

    def _write_content(self, choice: ChunkChoice) -> None:
        delta = choice.delta
        thought = delta.reasoning_content or delta.reasoning
        if thought:
            self._enter("thinking", _THINKING)
            self._frames.append(self._delta(b"thinking_delta", b"thinking", thought))
        if bytes(delta.reasoning_details):
            self._details(details_of(delta.reasoning_details))
        if bytes(delta.extra_content):
            self._details(hidden_extra(delta.extra_content))
        text = text_of(delta.content) if delta.content else delta.refusal
        if text:
            self._refused |= not delta.content
            self._enter("text", _TEXT)
            self._frames.append(self._delta(b"text_delta", b"text", text))

    def _details(self, details: Sequence[ReasoningDetail]) -> None:
        """Sign the open thinking block, and write hidden reasoning as blocks of its own; ignore unsigned entries."""
        for block in thoughts_of("", details):
            signature = "" if block.signature == SEAL else block.signature
            if signature and self._open == "thinking":
                self._leave(signature)
            elif signature or block.data:
                self._whole(block)

    def _whole(self, block: Block) -> None:
        self._leave()
        if block.type == "redacted_thinking":
            self._frames.append(_OPEN % (self._blocks, self._encode(block)))
        else:
            self._frames.append(_OPEN % (self._blocks, _THINKING))
        self._blocks += 1
        if block.thinking:
            self._frames.append(self._delta(b"thinking_delta", b"thinking", block.thinking))
        if block.signature:
            self._frames.append(self._delta(b"signature_delta", b"signature", block.signature))
        self._frames.append(_CLOSE % (self._blocks - 1))

    def _call(self, piece: ToolDelta) -> None:
        tool = self._tools.get(piece.index)
        if tool is None:
            tool = self._tools[piece.index] = _Tool()
        function = piece.function
        tool.id = tool.id or piece.id or ""
        arguments = ""
        if function is not None:
            tool.name = tool.name or function.name or ""
            arguments = function.arguments or ""
        if tool.block is None:
            tool.arguments += arguments
            if not tool.name:
                return
            arguments, tool.arguments = tool.arguments, ""
            call_id = call_id_of(tool.id, piece.index)
            self._details(hidden_extra(piece.extra_content, call_id))
            tool.block = self._blocks
            shown = {"type": "tool_use", "id": call_id, "name": tool.name, "input": {}}
            self._enter(piece.index, self._encode(shown))
        if arguments:
            self._frames.append(_DELTA % (tool.block, b"input_json_delta", b"partial_json", self._encode(arguments)))

    def _begin(self) -> None:
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
        self._frames += [_START % self._encode({"type": "message_start", "message": message}), _PING]

    def _enter(self, kind: str | int, start: bytes) -> None:
        """Open a block unless it is open already."""
        if self._open == kind:
            return
        self._leave()
        self._frames.append(_OPEN % (self._blocks, start))
        self._blocks += 1
        self._open = kind

    def _leave(self, signature: str = SEAL) -> None:
        """Close the open block, if any; unsigned thinking gets a seal that marks it as not Anthropic's."""
        if self._open == "thinking":
            self._frames.append(self._delta(b"signature_delta", b"signature", signature))
        if self._open is not None:
            self._frames.append(_CLOSE % (self._blocks - 1))
            self._open = None

    def _delta(self, kind: bytes, member: bytes, text: str) -> bytes:
        return _DELTA % (self._blocks - 1, kind, member, self._encode(text))

    def _end(self) -> None:
        self._leave()
        stop_text = stop_text_of(self._ending.stop_reason)
        reason = stop_reason_of(self._ending.finish_reason, stop_text, called=bool(self._tools))
        closing = {
            "type": "message_delta",
            "delta": {"stop_reason": "refusal" if self._refused else reason, "stop_sequence": stop_text},
            "usage": usage_of(self._usage),
        }
        self._frames += [_MESSAGE_DELTA % self._encode(closing), _STOP]
