"""Which answers may be continued by another model, and the request for the continuation."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

import msgspec

from app.core.json_text import OBJECT
from app.core.model import ChatRequest, Message, Request
from app.core.tokens import text_tokens

_USER: Final = "user"
_NOTHING: Final = (b"", b"null", b"false", b"[]", b"{}", b'"none"')
# Fields that make an answer more than text, or constrain its format, unless their value disables them.
_CONSTRAINING: Final = frozenset(
    {
        "tools", "functions", "web_search_options", "mcp_servers", "container",
        "response_format", "guided_json", "guided_regex", "guided_choice", "guided_grammar", "grammar", "json_schema",
        "structured_outputs", "text",
        "logprobs", "top_logprobs", "modalities", "audio", "prediction",
        "reasoning", "reasoning_effort", "thinking", "enable_thinking", "chat_template_kwargs", "output_config",
        "continue_final_message", "echo",
    }
)  # fmt: skip
_HARMLESS: Final = (
    ("response_format", {"type": "text"}),
    ("thinking", {"type": "disabled"}),
    ("modalities", ["text"]),
    ("top_logprobs", 0),
)


class Continues(Enum):
    """
    How to make a provider continue the last message of a conversation, which is the assistant's.

    TRAILING: it always does. PREFIX, PARTIAL: if the message has a member of this name that is true. FINAL_MESSAGE: if
    the request has `continue_final_message`, as in vLLM.
    """

    TRAILING = "trailing"
    PREFIX = "prefix"
    PARTIAL = "partial"
    FINAL_MESSAGE = "final_message"


def may_be_continued(request: Request) -> bool:
    """
    Return whether an answer to this request could be continued by another model: plain text, streamed, one choice.

    Not with tools, JSON, log probabilities, audio or reasoning, nor if the client itself supplied the answer's start.
    """
    if not isinstance(request, ChatRequest) or not request.stream:
        return False
    fields = request.fields
    if fields.n not in {None, 1} or not fields.messages or fields.messages[-1].role != _USER:
        return False
    members = OBJECT.decode(request.raw)
    return not any(_constrains(name, bytes(members[name])) for name in _CONSTRAINING & members.keys())


def continued(request: ChatRequest, said: str, how: Continues) -> ChatRequest:
    """
    Return the request for the rest of the answer to `request` that began with `said`.

    A limit of the answer's tokens is lowered by an estimate of those in `said`, to 1 at least.
    """
    members = OBJECT.decode(request.raw)
    message: dict[str, Any] = {"role": "assistant", "content": said}
    changed: dict[str, Any] = {}
    if how is Continues.FINAL_MESSAGE:
        changed = {"continue_final_message": True, "add_generation_prompt": False}
    elif how is not Continues.TRAILING:
        message[how.value] = True
    fields = request.fields
    limits = {name: _remaining(getattr(fields, name), said) for name in ("max_tokens", "max_completion_tokens")}
    limits = {name: limit for name, limit in limits.items() if limit is not None}
    messages = [*msgspec.json.decode(members["messages"], type=list[msgspec.Raw]), message]
    raw = msgspec.json.encode({**members, **limits, **changed, "messages": messages})
    new_fields = msgspec.structs.replace(fields, messages=[*fields.messages, Message("assistant", said)], **limits)
    return msgspec.structs.replace(request, fields=new_fields, raw=raw, origin=None)


def _constrains(name: str, value: bytes) -> bool:
    if value in _NOTHING:
        return False
    return (name, msgspec.json.decode(value)) not in _HARMLESS


def _remaining(limit: int | None, said: str) -> int | None:
    return None if limit is None else max(1, limit - text_tokens(said))
