"""A whole answer of Converse, to the canonical form; what streams share with it stands here as well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.dialects.reasoning import CLAUDE_FORMAT
from app.core.errors import BAD_UPSTREAM_REPLY, CONTENT_BLOCKED, GatewayError
from app.core.model import Completion
from app.core.usage import PromptTokensDetails, Usage
from app.providers.bedrock.wire import WHOSE, Citation, ConverseResponse, Reasoning, SaidBlock, TokenUsage
from app.providers.canonical.answer import Choice, Message, annotated, cited, completion, object_text, said_call
from app.providers.canonical.chat_request import Thought
from app.providers.canonical.decoding import heard
from app.providers.canonical.stamps import Mint

_FINISHES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "end_turn": "stop",
        "stop_sequence": "stop",
        "tool_use": "tool_calls",
        "max_tokens": "length",
        "model_context_window_exceeded": "length",
        "guardrail_intervened": "content_filter",
        "content_filtered": "content_filter",
    }
)
_BROKEN: Final = frozenset({"malformed_model_output", "malformed_tool_use"})


def decode_chat(body: bytes, model: str, mint: Mint) -> Completion:
    """Return the whole answer, or raise CONTENT_BLOCKED if nothing was said for reasons of safety."""
    answer = heard(body, ConverseResponse, WHOSE)
    blocks = answer.output.message.content
    text = "".join([_prose(block) for block in blocks])
    thoughts = [thought_of(block.reasoning_content) for block in blocks if block.reasoning_content is not None]
    uses = [block.tool_use for block in blocks if block.tool_use is not None]
    calls = [said_call(use.tool_use_id, use.name, object_text(use.input)) for use in uses]
    message = Message(
        "assistant",
        text or None,
        None,
        reasoning_content="".join([thought.text or "" for thought in thoughts]) or None,
        reasoning_details=tuple(thoughts),
        tool_calls=tuple(calls),
        annotations=_annotations(blocks),
    )
    finish = finish_of(answer.stop_reason, said=bool(text or calls))
    return completion(mint.stamp(model), [Choice(0, message, finish)], usage_of(answer.usage))


def finish_of(reason: str, *, said: bool) -> str:
    """Return the finish reason, or raise CONTENT_BLOCKED if nothing was `said` for reasons of safety."""
    finish = _FINISHES.get(reason, "stop")
    if not said and finish == "content_filter":
        raise GatewayError(CONTENT_BLOCKED, f"Bedrock blocked the content ({reason}).")
    if reason in _BROKEN:
        raise GatewayError(BAD_UPSTREAM_REPLY, f"The model's answer was malformed ({reason}).")
    return finish


def usage_of(given: TokenUsage | None) -> Usage | None:
    """Return the tokens as OpenAI counts them: what came out of the cache is a part of the prompt."""
    if given is None:
        return None
    prompt = given.input_tokens + given.cache_read_input_tokens + given.cache_write_input_tokens
    details = PromptTokensDetails(given.cache_read_input_tokens, given.cache_write_input_tokens)
    return Usage(prompt, given.output_tokens, prompt + given.output_tokens, details)


def thought_of(given: Reasoning) -> Thought:
    """Return a block of reasoning with what its model wants back; only Claude's has something of that kind."""
    if given.reasoning_text is None:
        return Thought("reasoning.encrypted", data=given.redacted_content, format=CLAUDE_FORMAT)
    said = given.reasoning_text
    return Thought("reasoning.text", said.text, said.signature, format=CLAUDE_FORMAT if said.signature else None)


def annotation_of(citation: Citation, start: int, end: int) -> list[dict[str, object]]:
    """Return a source as OpenAI's citation, if it has an address: others have no form there."""
    web = citation.location.web if citation.location is not None else None
    if web is None or not web.url:
        return []
    return [cited(start, end, web.url, citation.title)]


def _annotations(blocks: Sequence[SaidBlock]) -> msgspec.Raw:
    found: list[dict[str, object]] = []
    start = 0
    for block in blocks:
        end = start + len(_prose(block))
        for citation in block.citations_content.citations if block.citations_content is not None else ():
            found += annotation_of(citation, start, end)
        start = end
    return annotated(found)


def _prose(block: SaidBlock) -> str:
    if block.citations_content is not None:
        return "".join([part.text for part in block.citations_content.content])
    return block.text or ""
