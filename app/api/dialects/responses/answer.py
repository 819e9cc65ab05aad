"""A whole answer, from the canonical form to a response object; and what both kinds of answers show of the request."""

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
# What a response shows of its request, and what it shows where the request does not say it.
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
    The response object around the output of one call.

    Args:
        key: What makes the ids of this response and its items unique.

        body: The client's own request.

        created: Unix time, in seconds.
    """

    def __init__(self, key: str, body: bytes, created: int) -> None:
        self.key = key
        self._created = created
        self._members = OBJECT.decode(body)

    def response(self, status: str, model: str, output: Sequence[Json], **more: object) -> Json:
        """Return the object; `more` are its usage, and why it is incomplete."""
        echoed = {name: self._members.get(name, otherwise) for name, otherwise in _ECHOED.items()}
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
            "store": False,  # nothing is kept here
            "usage": None,
            **more,
        }

    def item_id(self, prefix: str, place: int) -> str:
        """Return the id of the item at `place`."""
        return f"{prefix}_{self.key}_{place}"


def response_of(completion: Completion, frame: Frame, model: str) -> bytes:
    """
    Return the body of a whole answer; `model` is its name where the provider does not say it.

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
    """Return whether an answer that came to its end is all that there would have been."""
    return "incomplete" if finish_reason in _INCOMPLETE else "completed"


def incomplete_of(finish_reason: str | None) -> Json | None:
    """Return why a response is incomplete, if it is."""
    reason = _INCOMPLETE.get(finish_reason or "")
    return None if reason is None else {"reason": reason}


def usage_of(usage: Usage | None) -> ResponseUsage | None:
    """Return the tokens under their newer names."""
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
    Return reasoning as items: OpenAI's own as they were, that of others as a summary.

    A client sends the items back as they are, so whoever needs them again finds them in `encrypted_content`.
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
    """Return one item of reasoning."""
    texts = [{"type": "summary_text", "text": text} for text in summary]
    return {"id": item_id, "type": "reasoning", "summary": texts, "encrypted_content": hidden}


def _own_item(details: Sequence[ReasoningDetail], item_id: str) -> Json:
    hidden = next((detail.data for detail in details if detail.data), None)
    item = reasoning_item(details[0].id or item_id, [text for detail in details if (text := detail.summary)], hidden)
    content = [{"type": "reasoning_text", "text": detail.text} for detail in details if detail.text]
    return {**item, "content": content} if content else item


def message_item(item_id: str, parts: Sequence[Json], status: str = "completed") -> Json:
    """Return what the assistant said as an item."""
    return {"id": item_id, "type": "message", "status": status, "role": "assistant", "content": parts}


def text_part(text: str, annotations: Sequence[object] = (), logprobs: Sequence[object] = ()) -> Json:
    """Return text as a part of a message."""
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": logprobs}


def annotations_of(raw: msgspec.Raw) -> list[Json]:
    """Return annotations in the newer form, which nests them once less."""
    try:
        found = msgspec.json.decode(raw, type=list[dict[str, Any]])
    except (msgspec.DecodeError, RecursionError):
        return []
    nested = [(note, note.get("url_citation")) for note in found]
    return [{"type": "url_citation", **inner} if isinstance(inner, dict) else note for note, inner in nested]


def logprobs_of(raw: msgspec.Raw) -> list[msgspec.Raw]:
    """Return the entries of the tokens of a text."""
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
