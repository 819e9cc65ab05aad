"""
What comes over the wire from Bedrock's Converse API, as far as the codec reads it.

The names are those of the API (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html),
written as Python has it; exactly one of the fields of a block is set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from app.core.dialects.absent import ABSENT

WHOSE: Final = "Converse's"


class Wire(msgspec.Struct, frozen=True, rename="camel"):
    """The base of every object."""


class ReasoningText(Wire, frozen=True):
    """Reasoning, and the signature with which its model knows it again."""

    text: str
    signature: str | None = None


class Reasoning(Wire, frozen=True):
    """Reasoning that can be read, or that only the model can read."""

    reasoning_text: ReasoningText | None = None
    redacted_content: str | None = None


class TokenUsage(Wire, frozen=True):
    """What the call took; tokens of the cache are counted beside the input."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_write_input_tokens: int = 0


class SaidToolUse(Wire, frozen=True):
    """A tool call as it comes back; in the answer's body `input` is an object, in a stream JSON text in pieces."""

    tool_use_id: str = ""
    name: str = ""
    input: msgspec.Raw = ABSENT


class SaidText(Wire, frozen=True):
    """A piece of text in a block with sources."""

    text: str = ""


class WebPlace(Wire, frozen=True):
    """A page of the web."""

    url: str = ""


class CitedPlace(Wire, frozen=True):
    """Where a source is; those that have no address are places in a document of the request."""

    web: WebPlace | None = None


class Citation(Wire, frozen=True):
    """A source of a text."""

    title: str | None = None
    location: CitedPlace | None = None


class Cited(Wire, frozen=True):
    """Text with its sources."""

    content: Sequence[SaidText] = ()
    citations: Sequence[Citation] = ()


class SaidBlock(Wire, frozen=True):
    """A part of the answer."""

    text: str | None = None
    tool_use: SaidToolUse | None = None
    reasoning_content: Reasoning | None = None
    citations_content: Cited | None = None


class SaidMessage(Wire, frozen=True):
    """The answer's message."""

    content: Sequence[SaidBlock] = ()


class Output(Wire, frozen=True):
    """What came out."""

    message: SaidMessage


class ConverseResponse(Wire, frozen=True):
    """The body of an answer."""

    output: Output
    stop_reason: str = "end_turn"
    usage: TokenUsage | None = None


class ReasoningDelta(Wire, frozen=True):
    """A piece of reasoning."""

    text: str = ""
    signature: str | None = None
    redacted_content: str | None = None


class InputDelta(Wire, frozen=True):
    """A piece of a tool's input."""

    input: str = ""


class Delta(Wire, frozen=True):
    """A piece of a block."""

    text: str | None = None
    tool_use: InputDelta | None = None
    reasoning_content: ReasoningDelta | None = None
    citation: Citation | None = None


class Event(Wire, frozen=True):
    """One event of a stream; which it is stands in its headers, and the last one has the usage."""

    content_block_index: int = 0
    start: SaidBlock = SaidBlock()  # blocks of text need no beginning
    delta: Delta = Delta()
    stop_reason: str = "end_turn"
    usage: TokenUsage | None = None
