"""
What goes over the wire to and from Cohere, as far as the codec reads or writes it.

The names are those of the v2 API (https://docs.cohere.com/v2/reference/chat).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from app.core.dialects.absent import ABSENT
from app.providers.canonical.talk import WireTool


class ImageUrl(msgspec.Struct, frozen=True, omit_defaults=True):
    """An address, or a `data:` URL."""

    url: str
    detail: str | None = None


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """One part of a message's content: `text`, `image_url` or `thinking`; `type` is always said."""

    type: str = ""
    text: str | None = None
    image_url: ImageUrl | None = None
    thinking: str | None = None


class Function(msgspec.Struct, frozen=True):
    """A called function; `arguments` is JSON text."""

    name: str = ""
    arguments: str = ""


class ToolCall(msgspec.Struct, frozen=True):
    """A tool call."""

    id: str = ""
    type: str = "function"
    function: Function = Function()


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One message of the conversation."""

    role: str
    content: str | Sequence[Part] | None = None
    tool_calls: Sequence[ToolCall] = ()
    tool_call_id: str | None = None
    tool_plan: str | None = None


class Format(msgspec.Struct, frozen=True, omit_defaults=True):
    """The form of the answer."""

    type: str
    json_schema: msgspec.Raw = ABSENT


class Thinking(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether the model reasons, and with how many tokens."""

    type: str
    token_budget: int | None = None


class ChatRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of `POST /v2/chat`."""

    model: str
    messages: Sequence[Message]
    stream: bool | None = None
    tools: Sequence[WireTool] = ()
    tool_choice: str | None = None
    strict_tools: bool | None = None
    response_format: Format | None = None
    thinking: Thinking | None = None
    max_tokens: int | None = None
    stop_sequences: Sequence[str] = ()
    temperature: float | None = None
    p: float | None = None
    k: int | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None


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

    message: msgspec.Raw = ABSENT
    finish_reason: str | None = None
    usage: Usage | None = None
    error: str | None = None


class Event(msgspec.Struct, frozen=True):
    """One event of a streamed answer."""

    type: str = ""
    id: str = ""
    index: int = 0
    delta: EventDelta = EventDelta()
