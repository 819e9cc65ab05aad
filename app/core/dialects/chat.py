"""
A whole chat completion, read by those who write it anew in another dialect; its calls are also written by codecs.

Servers that speak this dialect differ in many details, so fields that only some readers want are `msgspec.Raw`, and a
server's idea of them never spoils an answer.
"""

from __future__ import annotations

from typing import Any

import msgspec

from app.core.dialects.absent import ABSENT
from app.core.dialects.reasoning import ReasoningDetail
from app.core.errors import BAD_UPSTREAM_REPLY, GatewayError


class AnswerFunction(msgspec.Struct, frozen=True):
    """A function that the model calls; `arguments` is JSON text, from some servers JSON."""

    name: str | None = None
    arguments: str | dict[str, Any] | None = None

    @property
    def text(self) -> str:
        """Return the arguments as JSON text."""
        if isinstance(self.arguments, str):
            return self.arguments
        return "" if self.arguments is None else msgspec.json.encode(self.arguments).decode()


class AnswerCustom(msgspec.Struct, frozen=True):
    """A custom tool that the model calls, with free text."""

    name: str = ""
    input: str = ""


class AnswerCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """One tool call; `extra_content` is what its provider wants to see again with it."""

    id: str | int | None = None
    type: str | None = None
    function: AnswerFunction | None = None
    custom: AnswerCustom | None = None
    extra_content: msgspec.Raw = ABSENT


class AnswerMessage(msgspec.Struct, frozen=True):
    """What the model said."""

    content: str | list[msgspec.Raw] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: msgspec.Raw = ABSENT
    tool_calls: list[AnswerCall] | None = None
    annotations: msgspec.Raw = ABSENT
    extra_content: msgspec.Raw = ABSENT

    @property
    def thought(self) -> str:
        """Return the reasoning that people can read."""
        return self.reasoning_content or self.reasoning or ""


class AnswerChoice(msgspec.Struct, frozen=True):
    """One of the answers; `stop_reason` is the stop text that ended it, from servers that tell."""

    message: AnswerMessage = AnswerMessage()
    finish_reason: str | None = None
    stop_reason: msgspec.Raw = ABSENT
    logprobs: msgspec.Raw = ABSENT


class Answer(msgspec.Struct, frozen=True):
    """A whole answer; its usage was read before."""

    choices: list[AnswerChoice]
    model: str | None = None
    service_tier: str | None = None

    @property
    def first(self) -> AnswerChoice:
        """Return the one answer of dialects that have one only."""
        return self.choices[0] if self.choices else AnswerChoice()


class _TextPart(msgspec.Struct, frozen=True):
    type: str = ""
    text: str = ""


_ANSWER = msgspec.json.Decoder(Answer)
_PART = msgspec.json.Decoder(_TextPart)
_DETAILS = msgspec.json.Decoder(list[ReasoningDetail])


def read_answer(raw: bytes) -> Answer:
    """
    Read a whole answer.

    Raises:
        GatewayError: BAD_UPSTREAM_REPLY.
    """
    try:
        return _ANSWER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise GatewayError(BAD_UPSTREAM_REPLY, "The provider's answer cannot be translated.") from error


def text_of(content: str | list[msgspec.Raw] | None) -> str:
    """Return the text of a content, which some servers send as parts."""
    if not isinstance(content, list):
        return content or ""
    return "".join([_text_of_part(part) for part in content])


def details_of(raw: msgspec.Raw) -> list[ReasoningDetail]:
    """Return the entries of `reasoning_details`; none if they are not in the form we know."""
    if not bytes(raw):
        return []
    try:
        return _DETAILS.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return []


def stop_text_of(raw: msgspec.Raw) -> str | None:
    """Return the stop text that ended an answer, if its server told it."""
    try:
        found = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return None
    return found if isinstance(found, str) else None


def _text_of_part(part: msgspec.Raw) -> str:
    try:
        return _PART.decode(part).text
    except msgspec.DecodeError:
        return ""
