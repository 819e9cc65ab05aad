"""
What comes over the wire from Cohere, as far as the codec reads it.

The names are those of the v2 API (https://docs.cohere.com/v2/reference/chat).
"""

from __future__ import annotations

import msgspec

from app.providers.canonical.chat_request import CalledFunction


class Part(msgspec.Struct, frozen=True):
    """One part of a message's content, or a piece of one."""

    text: str | None = None
    thinking: str | None = None


class ToolCall(msgspec.Struct, frozen=True):
    """A tool call."""

    id: str = ""
    function: CalledFunction = CalledFunction()


class Tokens(msgspec.Struct, frozen=True):
    """Counts of tokens; Cohere writes them as floats."""

    input_tokens: float = 0
    output_tokens: float = 0


class Usage(msgspec.Struct, frozen=True):
    """What the call took: `tokens` is what the model saw, `billed_units` what is paid for."""

    tokens: Tokens | None = None
    billed_units: Tokens | None = None
    cached_tokens: float = 0


class CitedDocument(msgspec.Struct, frozen=True):
    """What a text rests on, as its owner wrote it: members of these names may hold anything."""

    url: object = None
    title: object = None


class CitedSource(msgspec.Struct, frozen=True):
    """A document of the request, or what a tool returned."""

    document: CitedDocument | None = None
    tool_output: CitedDocument | None = None


class Citation(msgspec.Struct, frozen=True):
    """A stretch of the text, in characters, and its sources."""

    start: int = 0
    end: int = 0
    sources: list[CitedSource] | None = None


class SaidMessage(msgspec.Struct, frozen=True):
    """The answer's message."""

    citations: list[Citation] | None = None
    content: list[Part] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_plan: str | None = None


class ChatResponse(msgspec.Struct, frozen=True):
    """The body of an answer."""

    message: SaidMessage
    id: str = ""
    finish_reason: str = "COMPLETE"
    usage: Usage | None = None


class PieceMessage(msgspec.Struct, frozen=True):
    """A piece of a message: in a stream content, tool calls and citations are single objects."""

    citations: Citation | None = None
    content: Part | None = None
    tool_calls: ToolCall | None = None
    tool_plan: str | None = None


class EventDelta(msgspec.Struct, frozen=True):
    """What one event adds; `message` has empty lists in place of objects in the event that begins a stream."""

    message: msgspec.Raw = msgspec.Raw()
    finish_reason: str | None = None
    usage: Usage | None = None
    error: str | None = None


class Event(msgspec.Struct, frozen=True):
    """One event of a streamed answer."""

    type: str = ""
    id: str = ""
    index: int = 0
    delta: EventDelta = EventDelta()
