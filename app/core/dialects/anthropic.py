"""
Data types of Anthropic's Messages API: requests, answers and stream events.

A block is one flat struct with a `type`, not a union, so that blocks of unknown types still decode; a field that is an
object in one type and text in another stays `msgspec.Raw`. Source: https://platform.claude.com/docs/en/api.
"""

from __future__ import annotations

from typing import Final

import msgspec

from app.core.dialects.absent import ABSENT

ANTHROPIC: Final = "anthropic"  # the name of the dialect


class Source(msgspec.Struct, frozen=True, omit_defaults=True):
    """The source of an image or a document: base64 or text data, a URL, an uploaded file, or other blocks."""

    type: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    file_id: str | None = None
    content: msgspec.Raw = ABSENT


class Block(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    One block of a message's content; `type` determines which fields are set.

    `source` is a `Source` in images and documents; `content` is text or blocks in tool results; `citations` is a list
    in texts and a switch in documents; `input` is the object of a tool's arguments.
    """

    type: str
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = ABSENT
    tool_use_id: str | None = None
    content: msgspec.Raw = ABSENT
    is_error: bool | None = None
    source: msgspec.Raw = ABSENT
    title: str | None = None
    context: str | None = None
    citations: msgspec.Raw = ABSENT
    cache_control: msgspec.Raw = ABSENT


class Turn(msgspec.Struct, frozen=True):
    """One message; `role` is `user`, `assistant`, or (within a conversation) `system`."""

    role: str
    content: str | list[Block]


class Tool(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tool offered to the model; one with a `type` other than `custom` is defined by Anthropic."""

    name: str = ""
    type: str | None = None
    description: str | None = None
    input_schema: msgspec.Raw = ABSENT
    strict: bool | None = None
    cache_control: msgspec.Raw = ABSENT
    defer_loading: msgspec.Raw = ABSENT
    eager_input_streaming: msgspec.Raw = ABSENT
    allowed_callers: msgspec.Raw = ABSENT
    input_examples: msgspec.Raw = ABSENT


class ToolChoice(msgspec.Struct, frozen=True, omit_defaults=True):
    """`auto`, `any`, `none`, or the one `tool` that must be called."""

    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class Thinking(msgspec.Struct, frozen=True, omit_defaults=True):
    """The mode of thinking: `enabled` with a budget, `adaptive`, `between_tools` or `disabled`."""

    type: str
    budget_tokens: int | None = None
    display: str | None = None


class OutputFormat(msgspec.Struct, frozen=True, omit_defaults=True):
    """The JSON schema that an answer must match."""

    type: str
    schema: msgspec.Raw = ABSENT


class OutputConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """The effort to spend on an answer, and its format."""

    effort: str | None = None
    format: OutputFormat | None = None


class Metadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """The end user of the request."""

    user_id: str | None = None


class MessagesBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of a request; `output_format` is the beta's name for `output_config.format`."""

    model: str
    messages: list[Turn]
    max_tokens: int | None = None
    system: str | list[Block] | None = None
    stream: bool | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    output_format: OutputFormat | None = None
    metadata: Metadata | None = None
    service_tier: str | None = None


class OutputTokensDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """Output tokens by kind."""

    thinking_tokens: int | None = None


class MessageUsage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Token counts; `input_tokens` excludes cache reads and writes. In stream events any field may be missing."""

    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None
    output_tokens_details: OutputTokensDetails | None = None


class Message(msgspec.Struct, frozen=True):
    """A complete answer."""

    id: str = ""
    type: str = ""
    role: str = "assistant"
    model: str = ""
    content: list[Block] = []
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: MessageUsage = MessageUsage()
    error: msgspec.Raw = ABSENT


class EventDelta(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an event adds to a block, or to the message (its stop reason)."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    citation: msgspec.Raw = ABSENT
    stop_reason: str | None = None
    stop_sequence: str | None = None


class Event(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event of a streamed answer."""

    type: str
    index: int = 0
    message: Message | None = None
    content_block: Block | None = None
    delta: EventDelta | None = None
    usage: MessageUsage | None = None
    error: msgspec.Raw = ABSENT
