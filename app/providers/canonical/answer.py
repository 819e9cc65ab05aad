"""Writes whole answers in the canonical form, OpenAI's chat completion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from app.core.answers.usage_shown import counts
from app.core.dialects.absent import ABSENT
from app.core.dialects.chat import AnswerCall, AnswerFunction
from app.core.model import Completion
from app.core.usage import Usage
from app.providers.canonical.chat_request import Thought
from app.providers.canonical.stamps import Stamp

_NULL = msgspec.Raw(b"null")


class SaidImage(msgspec.Struct, frozen=True):
    """A picture as a `data:` URL, in the form that OpenRouter introduced."""

    type: str
    image_url: dict[str, str]


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """The model's message; fields without a default are always present, as in OpenAI's answers."""

    role: str
    content: str | None
    refusal: str | None
    reasoning_content: str | None = None
    reasoning_details: Sequence[Thought] = ()
    tool_calls: Sequence[AnswerCall] = ()
    images: Sequence[SaidImage] = ()
    annotations: msgspec.Raw = ABSENT
    extra_content: msgspec.Raw = ABSENT


class Choice(msgspec.Struct, frozen=True):
    """One of the requested answers; `stop_reason` (an extension of vLLM) is the stop text that ended it."""

    index: int
    message: Message
    finish_reason: str
    logprobs: msgspec.Raw = _NULL
    stop_reason: str | msgspec.UnsetType = msgspec.UNSET


class _Answer(msgspec.Struct, frozen=True):
    id: str
    object: str
    created: int
    model: str
    choices: Sequence[Choice]
    usage: Mapping[str, Any] | None


def said_call(call_id: str, name: str, arguments: str, extra_content: msgspec.Raw | None = None) -> AnswerCall:
    """Return a call of a function."""
    function = AnswerFunction(name, arguments)
    return AnswerCall(call_id, "function", function, extra_content=extra_content or ABSENT)


def completion(stamp: Stamp, choices: Sequence[Choice], usage: Usage | None) -> Completion:
    """Return the whole answer."""
    shown = None if usage is None else counts(usage)
    body = _Answer(stamp.id, "chat.completion", stamp.created, stamp.model, choices, shown)
    return Completion(msgspec.json.encode(body), usage, tuple([choice.finish_reason for choice in choices]))


def cited(start: int, end: int, url: str, title: str | None) -> dict[str, object]:
    """Return the source of a span of the text as OpenAI's annotation; the title defaults to the URL."""
    place = {"start_index": start, "end_index": end, "url": url, "title": title or url}
    return {"type": "url_citation", "url_citation": place}


def annotated(found: Sequence[object]) -> msgspec.Raw:
    """Return the `annotations` of a message; absent if there are none."""
    return msgspec.Raw(msgspec.json.encode(found)) if found else ABSENT


def object_text(raw: msgspec.Raw) -> str:
    """Return an object as compact JSON text, for the arguments of a call; `{}` if absent."""
    return msgspec.json.format(raw, indent=-1).decode() if bytes(raw) else "{}"
