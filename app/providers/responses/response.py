"""A whole answer, from a response object to the canonical form; and the words that both kinds of answers share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from app.core import errors as table
from app.core.dialects.absent import is_given
from app.core.dialects.chat import AnswerCall, AnswerCustom
from app.core.dialects.reasoning import RESPONSES_FORMAT
from app.core.dialects.responses import ContentPart, Item, Response, ResponseUsage
from app.core.errors import GatewayError, Kind
from app.core.model import Completion
from app.core.usage import CompletionTokensDetails, PromptTokensDetails, Usage
from app.providers.canonical.answer import Choice, Message, annotated, completion, said_call
from app.providers.canonical.chat_request import Json, Thought
from app.providers.canonical.decoding import heard_or
from app.providers.canonical.stamps import Stamp
from app.providers.refusals import in_answer

_INCOMPLETE: Final[Mapping[str, str]] = MappingProxyType(
    {"max_output_tokens": "length", "content_filter": "content_filter"}
)
_CODES: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "rate_limit_exceeded": table.TARGET_RATE_LIMITED,
        "insufficient_quota": table.TARGET_QUOTA_SPENT,
        "context_length_exceeded": table.CONTEXT_TOO_LONG,
        "server_error": table.TARGET_FAILED,
        "server_is_overloaded": table.TARGET_BUSY,
        "invalid_prompt": table.CONTENT_BLOCKED,
        "bio_policy": table.CONTENT_BLOCKED,
        "image_content_policy_violation": table.CONTENT_BLOCKED,
    }
)


class _Error(msgspec.Struct, frozen=True):
    code: str | None = None
    message: str | None = None


def decode_chat(response: Response, stamp: Stamp) -> Completion:
    """Return the whole answer."""
    if response.status in {"failed", "cancelled"} or is_given(response.error):
        raise failed(response.error)
    parts = [part for item in response.output if item.type == "message" for part in parts_of(item)]
    texts = [part for part in parts if part.type == "output_text"]
    thoughts = [thought for item in response.output if item.type == "reasoning" for thought in thoughts_of(item)]
    calls = [call for item in response.output if (call := _call(item)) is not None]
    said = Message(
        "assistant",
        "".join([part.text or "" for part in texts]) if texts or not calls else None,
        "".join([part.refusal or "" for part in parts if part.type == "refusal"]) or None,
        reasoning_content="\n\n".join([thought.summary or thought.text or "" for thought in thoughts]).strip() or None,
        reasoning_details=thoughts or (),
        tool_calls=calls or (),
        annotations=_annotations(texts),
    )
    choice = Choice(0, said, finish_of(response, called=bool(calls)), logprobs=_logprobs(texts))
    return completion(stamp, [choice], None if response.usage is None else usage_of(response.usage))


def finish_of(response: Response, *, called: bool) -> str:
    """Return why the answer ended, in the words of chat completions."""
    reason = response.incomplete_details.reason if response.incomplete_details is not None else None
    if response.status == "incomplete":
        return _INCOMPLETE.get(reason or "", "length")
    return "tool_calls" if called else "stop"


def usage_of(usage: ResponseUsage) -> Usage:
    """Return the tokens under their older names."""
    given, said = usage.input_tokens_details, usage.output_tokens_details
    return Usage(
        usage.input_tokens,
        usage.output_tokens,
        usage.total_tokens,
        None if given is None else PromptTokensDetails(given.cached_tokens, given.cache_write_tokens),
        None if said is None else CompletionTokensDetails(said.reasoning_tokens),
    )


def thoughts_of(item: Item) -> list[Thought]:
    """Return an item of reasoning as the entries that can be sent back."""
    found = [Thought("reasoning.summary", summary=part.text or "") for part in item.summary or ()]
    found += [Thought("reasoning.text", part.text or "") for part in parts_of(item)]
    if item.encrypted_content:
        found.append(Thought("reasoning.encrypted", data=item.encrypted_content))
    return [msgspec.structs.replace(thought, id=item.id, format=RESPONSES_FORMAT) for thought in found]


def parts_of(item: Item) -> Sequence[ContentPart]:
    """Return the parts of an item."""
    return item.content if isinstance(item.content, list) else ()


def nested(annotation: Json) -> Json:
    """Return an annotation in the form of chat completions, which nest it once more."""
    if annotation.get("type") != "url_citation":
        return annotation
    return {"type": "url_citation", "url_citation": {key: value for key, value in annotation.items() if key != "type"}}


def failed(raw: msgspec.Raw) -> GatewayError:
    """Return the failure that a response or an event describes."""
    error = heard_or(_Error(), raw)
    return in_answer(_CODES.get(error.code or "", table.TARGET_FAILED), error.message or "")


def text_of(raw: msgspec.Raw) -> str:
    """Return a member that is text; nothing else counts."""
    try:
        found = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return ""
    return found if isinstance(found, str) else ""


def _call(item: Item) -> AnswerCall | None:
    if item.type == "function_call":
        return said_call(item.call_id or item.id or "", item.name or "", text_of(item.arguments))
    if item.type == "custom_tool_call":
        custom = AnswerCustom(item.name or "", text_of(item.input))
        return AnswerCall(item.call_id or item.id or "", "custom", custom=custom)
    return None


def _annotations(texts: Sequence[ContentPart]) -> msgspec.Raw:
    return annotated([nested(note) for part in texts for note in _objects(part.annotations)])


def _logprobs(texts: Sequence[ContentPart]) -> msgspec.Raw:
    tokens = [token for part in texts for token in _objects(part.logprobs)]
    return msgspec.Raw(msgspec.json.encode({"content": tokens, "refusal": None} if tokens else None))


def _objects(raw: msgspec.Raw) -> list[Json]:
    """Return the objects of a list that only adds to a text; whatever else stands there spoils no answer."""
    return [each for each in heard_or(list[object](), raw) if isinstance(each, dict)]
