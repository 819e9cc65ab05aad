"""
Data types of OpenAI's Responses API: requests, answers and stream events.

Items and parts are flat structs with a `type`, not unions, so that unknown types still decode; fields that differ
between types stay `msgspec.Raw`. Source: https://platform.openai.com/docs/api-reference/responses.
"""

from __future__ import annotations

from typing import Final

import msgspec

from app.core.dialects.absent import ABSENT

RESPONSES: Final = "responses"  # the name of the dialect


class ContentPart(msgspec.Struct, frozen=True, omit_defaults=True):
    """One part of a message, of a tool's output, or of reasoning."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    detail: str | None = None
    file_id: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None
    input_audio: msgspec.Raw = ABSENT
    annotations: msgspec.Raw = ABSENT
    logprobs: msgspec.Raw = ABSENT
    prompt_cache_breakpoint: msgspec.Raw = ABSENT


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    One item of a conversation: a message (`type` is optional), a tool call, its output, reasoning, or another.

    `arguments` is JSON text in function calls; `output` is text or parts; only the provider of the reasoning can
    decrypt `encrypted_content`.
    """

    type: str | None = None
    id: str | None = None
    status: str | None = None
    role: str | None = None
    content: str | list[ContentPart] | None = None
    phase: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: msgspec.Raw = ABSENT
    input: msgspec.Raw = ABSENT
    output: msgspec.Raw = ABSENT
    summary: list[ContentPart] | None = None
    encrypted_content: str | None = None


class ResponsesTool(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tool offered to the model: `function`, `custom`, or one that the provider hosts."""

    type: str
    name: str | None = None
    description: str | None = None
    parameters: msgspec.Raw = ABSENT
    strict: bool | None = None
    format: msgspec.Raw = ABSENT


class TextFormat(msgspec.Struct, frozen=True, omit_defaults=True):
    """The format of the answer: `text`, `json_object` or `json_schema`."""

    type: str
    name: str | None = None
    description: str | None = None
    schema: msgspec.Raw = ABSENT
    strict: bool | None = None


class TextConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """The format and verbosity of the answer's text."""

    format: TextFormat | None = None
    verbosity: str | None = None


class Reasoning(msgspec.Struct, frozen=True, omit_defaults=True):
    """The effort of reasoning, and whether the answer includes a summary of it."""

    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None


class ResponsesBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of a request, only with the fields that are translated."""

    model: str
    input: str | list[Item] | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    tools: list[ResponsesTool] | None = None
    tool_choice: msgspec.Raw = ABSENT
    parallel_tool_calls: bool | None = None
    text: TextConfig | None = None
    reasoning: Reasoning | None = None
    stream: bool | None = None
    include: list[str] | None = None
    user: str | None = None
    safety_identifier: str | None = None
    service_tier: str | None = None
    prompt_cache_key: str | None = None


class InputTokensDetails(msgspec.Struct, frozen=True):
    """Input tokens by kind."""

    cached_tokens: int = 0
    cache_write_tokens: int = 0


class OutputTokensDetails(msgspec.Struct, frozen=True):
    """Output tokens by kind."""

    reasoning_tokens: int = 0


class ResponseUsage(msgspec.Struct, frozen=True):
    """Token counts; the details are included in the totals."""

    input_tokens: int = 0
    input_tokens_details: InputTokensDetails | None = None
    output_tokens: int = 0
    output_tokens_details: OutputTokensDetails | None = None
    total_tokens: int = 0


class IncompleteDetails(msgspec.Struct, frozen=True):
    """Why an answer is incomplete."""

    reason: str | None = None


class Response(msgspec.Struct, frozen=True):
    """A complete answer, only with the fields that are translated."""

    id: str = ""
    object: str = ""
    status: str = ""
    model: str = ""
    created_at: float = 0
    output: list[Item] = []
    error: msgspec.Raw = ABSENT
    incomplete_details: IncompleteDetails | None = None
    usage: ResponseUsage | None = None
    service_tier: str | None = None


class ResponseEvent(msgspec.Struct, frozen=True):
    """One event of a streamed answer; an error is either an object (`error`) or flat (`code`, `message`, `param`)."""

    type: str
    output_index: int = 0
    summary_index: int = 0
    item: Item | None = None
    delta: str | msgspec.UnsetType = msgspec.UNSET
    annotation: msgspec.Raw = ABSENT
    logprobs: msgspec.Raw = ABSENT
    response: Response | None = None
    error: msgspec.Raw = ABSENT
    code: msgspec.Raw = ABSENT
    message: msgspec.Raw = ABSENT
    param: msgspec.Raw = ABSENT
