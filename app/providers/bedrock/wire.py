"""
What goes over the wire to Bedrock's Converse API, as far as the codec writes it; `said.py` has what comes back.

The names are those of the API (https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html),
written as Python has it; everywhere exactly one of the fields of a block is set.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from app.core.dialects.absent import ABSENT


class Wire(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """The base of every object: what is not set is not sent."""


class Empty(msgspec.Struct, frozen=True):
    """An object whose being there says it all."""


class S3Location(Wire, frozen=True):
    """Bytes in a bucket."""

    uri: str


class Source(Wire, frozen=True):
    """Where the bytes are: here as base64, or in a bucket."""

    bytes: str | None = None
    s3_location: S3Location | None = None


class Media(Wire, frozen=True):
    """A picture, a recording or a film, with its format."""

    format: str
    source: Source


class Wish(Wire, frozen=True):
    """Something that is wanted."""

    enabled: bool


class Document(Wire, frozen=True):
    """A document; its name may hold few kinds of characters."""

    format: str
    name: str
    source: Source
    context: str | None = None
    citations: Wish | None = None


class CachePoint(msgspec.Struct, frozen=True):
    """The end of a prefix that is worth caching."""

    type: str = "default"


class ToolUse(Wire, frozen=True):
    """A tool that the model calls; `input` is an object."""

    tool_use_id: str = ""
    name: str = ""
    input: msgspec.Raw = ABSENT


class ResultBlock(Wire, frozen=True):
    """A part of what a tool returned."""

    text: str | None = None
    json: msgspec.Raw = ABSENT
    image: Media | None = None


class ToolResult(Wire, frozen=True):
    """What a tool returned; `status` is said of those that failed."""

    tool_use_id: str
    content: Sequence[ResultBlock]
    status: str | None = None


class ReasoningText(Wire, frozen=True):
    """Reasoning, and the signature with which its model knows it again."""

    text: str
    signature: str | None = None


class Reasoning(Wire, frozen=True):
    """Reasoning that can be read, or that only the model can read."""

    reasoning_text: ReasoningText | None = None
    redacted_content: str | None = None


class Block(Wire, frozen=True):
    """One part of a message."""

    text: str | None = None
    image: Media | None = None
    audio: Media | None = None
    video: Media | None = None
    document: Document | None = None
    tool_use: ToolUse | None = None
    tool_result: ToolResult | None = None
    reasoning_content: Reasoning | None = None
    cache_point: CachePoint | None = None


class Message(Wire, frozen=True):
    """One message; `role` is `user` or `assistant`."""

    role: str
    content: Sequence[Block]


class SystemBlock(Wire, frozen=True):
    """A part of the system prompt."""

    text: str | None = None
    cache_point: CachePoint | None = None


class InferenceConfig(Wire, frozen=True):
    """How the answer is made."""

    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop_sequences: Sequence[str] = ()


class InputSchema(Wire, frozen=True):
    """A JSON schema."""

    json: msgspec.Raw


class ToolSpec(Wire, frozen=True):
    """A function that is offered."""

    name: str
    input_schema: InputSchema
    description: str | None = None
    strict: bool | None = None


class Tool(Wire, frozen=True):
    """A tool that is offered, or the end of those that are worth caching."""

    tool_spec: ToolSpec | None = None
    cache_point: CachePoint | None = None


class NamedTool(Wire, frozen=True):
    """The tool that must be called."""

    name: str


class ToolChoice(Wire, frozen=True):
    """Whether tools are called."""

    auto: Empty | None = None
    any: Empty | None = None
    tool: NamedTool | None = None


class ToolConfig(Wire, frozen=True):
    """The tools that are offered."""

    tools: Sequence[Tool]
    tool_choice: ToolChoice | None = None


class JsonSchema(Wire, frozen=True):
    """The schema of the answer, as JSON text."""

    schema: str
    name: str | None = None
    description: str | None = None


class Structure(Wire, frozen=True):
    """How the answer is built."""

    json_schema: JsonSchema


class TextFormat(Wire, frozen=True):
    """The form of the answer."""

    type: str
    structure: Structure


class OutputConfig(Wire, frozen=True):
    """What the answer shall be like."""

    text_format: TextFormat | None = None


class ConverseRequest(Wire, frozen=True):
    """The body of `converse` and `converse-stream`; the model stands in the address."""

    messages: Sequence[Message]
    system: Sequence[SystemBlock] = ()
    inference_config: InferenceConfig | None = None
    tool_config: ToolConfig | None = None
    output_config: OutputConfig | None = None
    additional_model_request_fields: msgspec.Raw = ABSENT
