"""Translates a whole answer to the canonical form; its helpers are shared with streamed answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.dialects.anthropic import Block, Message, MessageUsage
from app.core.dialects.reasoning import CLAUDE_FORMAT
from app.core.model import Completion
from app.core.usage import CompletionTokensDetails, PromptTokensDetails, Usage
from app.providers.canonical.answer import Choice, annotated, cited, completion, said_call
from app.providers.canonical.answer import Message as Said
from app.providers.canonical.chat_request import Json, Thought
from app.providers.canonical.stamps import Stamp

_FINISHES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "end_turn": "stop",
        "stop_sequence": "stop",
        "pause_turn": "stop",
        "max_tokens": "length",
        "model_context_window_exceeded": "length",
        "tool_use": "tool_calls",
        "refusal": "content_filter",
    }
)
_WEB: Final = b'"web_search_result_location"'


class _Citation(msgspec.Struct, frozen=True):
    type: str = ""
    url: str = ""
    title: str | None = None


def decode_chat(message: Message, stamp: Stamp) -> Completion:
    """Return the whole answer."""
    thoughts = [thought for block in message.content if (thought := thought_of(block)) is not None]
    texts = [block for block in message.content if block.type == "text"]
    uses = [block for block in message.content if block.type == "tool_use"]
    calls = [said_call(use.id or "", use.name or "", bytes(use.input).decode() or "{}") for use in uses]
    content = "".join([block.text or "" for block in texts])
    said = Said(
        "assistant",
        content if texts or not calls else None,
        None,
        reasoning_content="".join([thought.text or "" for thought in thoughts]) or None,
        reasoning_details=thoughts or (),
        tool_calls=calls or (),
        annotations=_annotations(texts),
    )
    choice = Choice(0, said, finish_of(message.stop_reason), stop_reason=message.stop_sequence or msgspec.UNSET)
    return completion(stamp, [choice], usage_of(message.usage))


def finish_of(stop_reason: str | None) -> str:
    """Return OpenAI's finish reason for a stop reason."""
    return _FINISHES.get(stop_reason or "", "stop")


def thought_of(block: Block) -> Thought | None:
    """Return a block of reasoning as an entry that can be sent back, or None for any other block."""
    if block.type == "thinking":
        return Thought("reasoning.text", block.thinking or "", block.signature or None, format=CLAUDE_FORMAT)
    if block.type == "redacted_thinking":
        return Thought("reasoning.encrypted", data=block.data or "", format=CLAUDE_FORMAT)
    return None


def usage_of(usage: MessageUsage) -> Usage:
    """Return the usage in OpenAI's form, where tokens read from and written to the cache are part of the prompt."""
    read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    prompt, said = (usage.input_tokens or 0) + read + written, usage.output_tokens or 0
    thought = usage.output_tokens_details.thinking_tokens if usage.output_tokens_details is not None else None
    return Usage(
        prompt,
        said,
        prompt + said,
        PromptTokensDetails(cached_tokens=read, cache_write_tokens=written),
        None if thought is None else CompletionTokensDetails(reasoning_tokens=thought),
    )


def merged(one: MessageUsage, other: MessageUsage) -> MessageUsage:
    """Return `one` with the counts that `other` has; they are cumulative, so they replace earlier ones."""
    changes = {name: value for name in MessageUsage.__struct_fields__ if (value := getattr(other, name)) is not None}
    return msgspec.structs.replace(one, **changes)


def annotations_of(citations: msgspec.Raw, start: int, end: int) -> list[Json]:
    """Return annotations of web pages cited between two offsets; other citations have no canonical form."""
    if _WEB not in bytes(citations):
        return []
    try:
        found = msgspec.json.decode(citations, type=list[_Citation])
    except msgspec.DecodeError:
        return []
    return [cited(start, end, citation.url, citation.title) for citation in found if citation.url]


def _annotations(texts: Sequence[Block]) -> msgspec.Raw:
    found: list[Json] = []
    start = 0
    for block in texts:
        end = start + len(block.text or "")
        found += annotations_of(block.citations, start, end)
        start = end
    return annotated(found)
