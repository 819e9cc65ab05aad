"""Which answers may be continued by another model, and the request that asks it for that."""

from __future__ import annotations

from enum import Enum
from typing import Any, Final

import msgspec

from app.core.json_text import OBJECT
from app.core.model import ChatRequest, Message, Request
from app.core.tokens import text_tokens

_USER: Final = "user"
_NOTHING: Final = (b"", b"null", b"false", b"[]", b"{}", b'"none"')
# What makes an answer more than its text, or binds it to a form; a value that asks for nothing is harmless.
_BINDING: Final = frozenset(
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
    How a provider is asked to go on with the last message of a conversation, which is the assistant's.

    TRAILING: it does so by itself. PREFIX, PARTIAL: the message says so by a member of this name. FINAL_MESSAGE: the
    request does, as in vLLM.
    """

    TRAILING = "trailing"
    PREFIX = "prefix"
    PARTIAL = "partial"
    FINAL_MESSAGE = "final_message"


def may_be_continued(request: Request) -> bool:
    """
    Say whether an answer to this request could be continued by another model: plain text, streamed, one choice.

    Not with tools, a form (JSON), probabilities, sound or reasoning; nor where the client itself has begun the answer.
    """
    if not isinstance(request, ChatRequest) or not request.stream:
        return False
    fields = request.fields
    if fields.n not in {None, 1} or not fields.messages or fields.messages[-1].role != _USER:
        return False
    members = OBJECT.decode(request.raw)
    return not any(_binds(name, bytes(members[name])) for name in _BINDING & members.keys())


def continued(request: ChatRequest, said: str, how: Continues) -> ChatRequest:
    """
    Return the request whose answer is the rest of the answer to `request` that began with `said`.

    A bound of the answer's tokens is lowered by an estimate of what was said, to 1 at least.
    """
    members = OBJECT.decode(request.raw)
    message: dict[str, Any] = {"role": "assistant", "content": said}
    changed: dict[str, Any] = {}
    if how is Continues.FINAL_MESSAGE:
        changed = {"continue_final_message": True, "add_generation_prompt": False}
    elif how is not Continues.TRAILING:
        message[how.value] = True
    fields = request.fields
    bounds = {name: _rest(getattr(fields, name), said) for name in ("max_tokens", "max_completion_tokens")}
    bounds = {name: bound for name, bound in bounds.items() if bound is not None}
    messages = [*msgspec.json.decode(members["messages"], type=list[msgspec.Raw]), message]
    raw = msgspec.json.encode({**members, **bounds, **changed, "messages": messages})
    more = msgspec.structs.replace(fields, messages=[*fields.messages, Message("assistant", said)], **bounds)
    return msgspec.structs.replace(request, fields=more, raw=raw, origin=None)


def _binds(name: str, value: bytes) -> bool:
    if value in _NOTHING:
        return False
    return (name, msgspec.json.decode(value)) not in _HARMLESS


def _rest(bound: int | None, said: str) -> int | None:
    return None if bound is None else max(1, bound - text_tokens(said))
