"""Translate a whole answer to a response object; and the helpers that streamed answers share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import msgspec

from app.core.dialects.absent import is_given
from app.core.dialects.chat import AnswerCall, AnswerChoice, details_of, read_answer, text_of
from app.core.dialects.reasoning import RESPONSES_FORMAT, SEAL, ReasoningDetail, hidden_extra, prose_of, sealed
from app.core.dialects.responses import InputTokensDetails, OutputTokensDetails, ResponseUsage
from app.core.json_text import OBJECT
from app.core.model import Completion
from app.core.usage import Usage

Json: TypeAlias = dict[str, Any]
_INCOMPLETE: Final[Mapping[str, str]] = MappingProxyType(
    {"length": "max_output_tokens", "content_filter": "content_filter"}
)
# The members that a response repeats from its request, with their defaults.
_ECHOED: Final[Mapping[str, object]] = MappingProxyType(
    {
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "auto",
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "user": None,
    }
)


class Frame:
    """
    Builds the response objects of one call.

    Args:
        key: Makes the ids of this response and its items unique.

        body: The client's request body.

        created: Unix time, in seconds.
    """

    def __init__(self, key: str, body: bytes, created: int) -> None:
        self.key = key
        self._created = created
        self._members = OBJECT.decode(body)

    def response(self, status: str, model: str, output: Sequence[Json], **more: object) -> Json:
        """Return the response object; `more` are its `usage` and `incomplete_details`."""
        echoed = {name: self._members.get(name, default) for name, default in _ECHOED.items()}
        return {
            "id": f"resp_{self.key}",
            "object": "response",
            "created_at": self._created,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "model": model,
            "output": output,
            **echoed,
            "store": False,  # the gateway stores no responses
            "usage": None,
            **more,
        }

    def item_id(self, prefix: str, place: int) -> str:
        """Return the id of the item at `place`."""
        return f"{prefix}_{self.key}_{place}"


def response_of(completion: Completion, frame: Frame, model: str) -> bytes:
    """
    Return the body of a whole answer; `model` is used if the provider does not name one.

    Raises:
        GatewayError: BAD_UPSTREAM_REPLY.
    """
    answer = read_answer(completion.raw)
    choice = answer.first
    response = frame.response(
        status_of(choice.finish_reason),
        answer.model or model,
        _items(choice, frame),
        usage=usage_of(completion.usage),
        incomplete_details=incomplete_of(choice.finish_reason),
    )
    return msgspec.json.encode(response)


def status_of(finish_reason: str | None) -> str:
    """Return the status of an answer that has ended: `completed`, or `incomplete` if it was cut short."""
    return "incomplete" if finish_reason in _INCOMPLETE else "completed"


def incomplete_of(finish_reason: str | None) -> Json | None:
    """Return the `incomplete_details`; None for a complete answer."""
    reason = _INCOMPLETE.get(finish_reason or "")
    return None if reason is None else {"reason": reason}


def usage_of(usage: Usage | None) -> ResponseUsage | None:
    """Return the token counts under the names of the Responses API."""
    if usage is None:
        return None
    return ResponseUsage(
        usage.prompt_tokens,
        InputTokensDetails(usage.cached_tokens, usage.cache_write_tokens),
        usage.completion_tokens,
        OutputTokensDetails(usage.reasoning_tokens),
        usage.total_tokens,
    )


def reasoning_items(frame: Frame, prose: str, details: Sequence[ReasoningDetail]) -> list[Json]:
    """
    Return reasoning as items: OpenAI's own unchanged, that of other models as a summary.

    Clients send the items back unchanged, so the next request can restore the reasoning from `encrypted_content`.
    """
    own = [detail for detail in details if detail.format == RESPONSES_FORMAT]
    if own:
        groups = [list(group) for _, group in groupby(own, lambda detail: detail.id)]
        return [_own_item(group, frame.item_id("rs", place)) for place, group in enumerate(groups)]
    text, seal = prose or prose_of(details), sealed(details)
    if seal == SEAL and not text:
        return []
    return [reasoning_item(frame.item_id("rs", 0), [text] if text else [], seal)]


def reasoning_item(item_id: str, summary: Sequence[str], hidden: str | None) -> Json:
    """Return one reasoning item."""
    texts = [{"type": "summary_text", "text": text} for text in summary]
    return {"id": item_id, "type": "reasoning", "summary": texts, "encrypted_content": hidden}


def _own_item(details: Sequence[ReasoningDetail], item_id: str) -> Json:
    hidden = next((detail.data for detail in details if detail.data), None)
    item = reasoning_item(details[0].id or item_id, [text for detail in details if (text := detail.summary)], hidden)
    content = [{"type": "reasoning_text", "text": detail.text} for detail in details if detail.text]
    return {**item, "content": content} if content else item


def message_item(item_id: str, parts: Sequence[Json], status: str = "completed") -> Json:
    """Return an assistant's message as an item."""
    return {"id": item_id, "type": "message", "status": status, "role": "assistant", "content": parts}


def text_part(text: str, annotations: Sequence[object], logprobs: Sequence[object]) -> Json:
    """Return text as a part of a message."""
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": logprobs}


def annotations_of(raw: msgspec.Raw) -> list[Json]:
    """Return annotations in the Responses format, which has one level of nesting less; empty if invalid."""
    try:
        notes = msgspec.json.decode(raw, type=list[dict[str, Any]])
    except (msgspec.DecodeError, RecursionError):
        return []
    nested = [(note, note.get("url_citation")) for note in notes]
    return [{"type": "url_citation", **inner} if isinstance(inner, dict) else note for note, inner in nested]


def logprobs_of(raw: msgspec.Raw) -> list[msgspec.Raw]:
    """Return the log probabilities of the tokens of a text; empty if absent or invalid."""
    if not is_given(raw):
        return []
    try:
        return msgspec.json.decode(raw, type=_Logprobs).content or []
    except (msgspec.DecodeError, RecursionError):
        return []


class _Logprobs(msgspec.Struct):
    content: list[msgspec.Raw] | None = None


def _items(choice: AnswerChoice, frame: Frame) -> list[Json]:
    message = choice.message
    calls = message.tool_calls or ()
    items: list[Json] = []
    details = [*details_of(message.reasoning_details), *hidden_extra(message.extra_content)]
    details += [hidden for call in calls if call.id for hidden in hidden_extra(call.extra_content, str(call.id))]
    items += reasoning_items(frame, message.thought, details)
    text, parts = text_of(message.content), []
    if text:
        parts.append(text_part(text, annotations_of(message.annotations), logprobs_of(choice.logprobs)))
    if message.refusal:
        parts.append({"type": "refusal", "refusal": message.refusal})
    if parts:
        items.append(message_item(frame.item_id("msg", len(items)), parts))
    items += [_call_item(call, frame, len(items) + place) for place, call in enumerate(calls)]
    return items


def _call_item(call: AnswerCall, frame: Frame, place: int) -> Json:
    call_id = str(call.id or frame.item_id("call", place))
    if call.custom is not None:
        item = {"id": frame.item_id("ctc", place), "type": "custom_tool_call", "status": "completed"}
        return {**item, "call_id": call_id, "name": call.custom.name, "input": call.custom.input}
    name, arguments = (call.function.name, call.function.text) if call.function is not None else ("", "")
    item = {"id": frame.item_id("fc", place), "type": "function_call", "status": "completed"}
    return {**item, "call_id": call_id, "name": name or "", "arguments": arguments}
