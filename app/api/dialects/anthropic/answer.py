"""Translate a whole answer to Anthropic's message; and the helpers that streamed answers share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import msgspec

from app.core.dialects.anthropic import Block, MessageUsage, OutputTokensDetails
from app.core.dialects.chat import Answer, AnswerCall, AnswerChoice, details_of, read_answer, stop_text_of, text_of
from app.core.dialects.reasoning import CLAUDE_FORMAT, SEAL, ReasoningDetail, hidden_extra, prose_of, sealed
from app.core.json_text import OBJECT
from app.core.model import Completion
from app.core.usage import Usage

Json: TypeAlias = dict[str, Any]
_STOPS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "stop": "end_turn",
        "length": "max_tokens",
        "tool_calls": "tool_use",
        "function_call": "tool_use",
        "content_filter": "refusal",
    }
)


def message_of(completion: Completion, message_id: str, model: str) -> bytes:
    """
    Return the body of a whole answer; `model` is used if the provider does not name one.

    Raises:
        GatewayError: BAD_UPSTREAM_REPLY.
    """
    answer = read_answer(completion.raw)
    choice = answer.first
    stop_text = stop_text_of(choice.stop_reason)
    message = {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": answer.model or model,
        "content": _blocks(answer),
        "stop_reason": _stop_of(choice, stop_text),
        "stop_sequence": stop_text,
        "usage": usage_of(completion.usage),
    }
    return msgspec.json.encode(message)


def stop_reason_of(finish_reason: str | None, stop_text: str | None, *, called: bool) -> str:
    """Return Anthropic's stop reason; some servers send 'stop' even if tools were `called`."""
    reason = _STOPS.get(finish_reason or "", "end_turn")
    if reason == "end_turn":
        return "tool_use" if called else "stop_sequence" if stop_text is not None else reason
    return reason


def usage_of(usage: Usage | None) -> MessageUsage:
    """Return the tokens as Anthropic counts them: `input_tokens` excludes those read from and written to the cache."""
    if usage is None:
        return MessageUsage(input_tokens=0, output_tokens=0)
    reasoning_tokens = usage.reasoning_tokens
    return MessageUsage(
        input_tokens=max(0, usage.prompt_tokens - usage.cached_tokens - usage.cache_write_tokens),
        cache_creation_input_tokens=usage.cache_write_tokens,
        cache_read_input_tokens=usage.cached_tokens,
        output_tokens=usage.completion_tokens,
        output_tokens_details=OutputTokensDetails(reasoning_tokens) if reasoning_tokens else None,
    )


def thoughts_of(prose: str, details: Sequence[ReasoningDetail]) -> list[Block]:
    """
    Return reasoning as blocks: Claude's with its own signature, that of other models sealed in a signature of ours.

    Clients send the blocks back unchanged, so the next request can restore the reasoning from them.
    """
    blocks = [block for own, group in groupby(details, _is_own) for block in _thought_blocks(list(group), own=own)]
    if prose and not any(block.thinking for block in blocks):
        blocks.insert(0, Block("thinking", thinking=prose, signature=sealed()))
    return blocks


def call_id_of(given: str | int | None, place: int) -> str:
    """Return the id of a call, or one derived from its place: some servers send none."""
    return str(given or f"toolu_{place}")


def input_of(arguments: str) -> msgspec.Raw:
    """Return a tool's arguments as the JSON object that Anthropic requires; other text is wrapped in one."""
    raw = arguments.encode() or b"{}"
    try:
        OBJECT.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return msgspec.Raw(msgspec.json.encode({"arguments": arguments}))
    return msgspec.Raw(raw)


def _is_own(detail: ReasoningDetail) -> bool:
    """Return whether the entry is Claude's; signatures without a format come from Bedrock, and are valid everywhere."""
    return detail.format == CLAUDE_FORMAT or (detail.format is None and bool(detail.signature or detail.data))


def _thought_blocks(details: Sequence[ReasoningDetail], *, own: bool) -> list[Block]:
    if own:
        return [_own_block(detail) for detail in details]
    prose, seal = prose_of(details), sealed(details)
    if prose:
        return [Block("thinking", thinking=prose, signature=seal)]
    return [] if seal == SEAL else [Block("redacted_thinking", data=seal)]


def _own_block(detail: ReasoningDetail) -> Block:
    if detail.data is not None:
        return Block("redacted_thinking", data=detail.data)
    return Block("thinking", thinking=detail.text or "", signature=detail.signature or "")


def _blocks(answer: Answer) -> list[Block | Json]:
    message = answer.first.message
    calls = message.tool_calls or ()
    details = [*details_of(message.reasoning_details), *hidden_extra(message.extra_content)]
    for place, call in enumerate(calls):
        details += hidden_extra(call.extra_content, call_id_of(call.id, place))
    blocks: list[Block | Json] = [*thoughts_of(message.thought, details)]
    text = text_of(message.content) or message.refusal
    if text:
        blocks.append(Block("text", text=text))
    blocks += [_tool_use(call, place) for place, call in enumerate(calls)]
    return blocks


def _tool_use(call: AnswerCall, place: int) -> Block:
    name, arguments = "", ""
    if call.function is not None:
        name, arguments = call.function.name or "", call.function.text
    return Block("tool_use", id=call_id_of(call.id, place), name=name, input=input_of(arguments))


def _stop_of(choice: AnswerChoice, stop_text: str | None) -> str:
    message = choice.message
    if message.refusal and not text_of(message.content):
        return "refusal"
    return stop_reason_of(choice.finish_reason, stop_text, called=bool(message.tool_calls))
