"""
Data types of a complete chat completion, for its translation to other dialects; codecs also encode its tool calls.

Servers of this dialect differ in many details, so fields that only some readers need are `msgspec.Raw`: an unusual
value there never makes the answer fail to decode.
"""

from __future__ import annotations

from typing import Any

import msgspec

from app.core.dialects.absent import ABSENT
from app.core.dialects.reasoning import ReasoningDetail
from app.core.errors import BAD_UPSTREAM_REPLY, GatewayError


class AnswerFunction(msgspec.Struct, frozen=True):
    """A function that the model calls; `arguments` is JSON text, or from some servers an object."""

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
    """One tool call; `extra_content` is provider data that has to be sent back with the call."""

    id: str | int | None = None
    type: str | None = None
    function: AnswerFunction | None = None
    custom: AnswerCustom | None = None
    extra_content: msgspec.Raw = ABSENT


class AnswerMessage(msgspec.Struct, frozen=True):
    """The message of an answer."""

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
        """Return the readable reasoning."""
        return self.reasoning_content or self.reasoning or ""


class AnswerChoice(msgspec.Struct, frozen=True):
    """One choice; `stop_reason` is the stop sequence that ended it, from servers that report it."""

    message: AnswerMessage = AnswerMessage()
    finish_reason: str | None = None
    stop_reason: msgspec.Raw = ABSENT
    logprobs: msgspec.Raw = ABSENT


class Answer(msgspec.Struct, frozen=True):
    """A complete answer, without its usage, which is decoded separately."""

    choices: list[AnswerChoice]
    model: str | None = None
    service_tier: str | None = None

    @property
    def first(self) -> AnswerChoice:
        """Return the first choice, for dialects that have only one; an empty choice if there is none."""
        return self.choices[0] if self.choices else AnswerChoice()


class _TextPart(msgspec.Struct, frozen=True):
    type: str = ""
    text: str = ""


_ANSWER = msgspec.json.Decoder(Answer)
_PART = msgspec.json.Decoder(_TextPart)
_DETAILS = msgspec.json.Decoder(list[ReasoningDetail])


def read_answer(raw: bytes) -> Answer:
    """
    Decode a complete answer.

    Raises:
        GatewayError: BAD_UPSTREAM_REPLY, if it cannot be decoded.
    """
    try:
        return _ANSWER.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise GatewayError(BAD_UPSTREAM_REPLY, "The provider's answer cannot be translated.") from error


def text_of(content: str | list[msgspec.Raw] | None) -> str:
    """Return the text of `content`, which some servers send as parts."""
    if not isinstance(content, list):
        return content or ""
    return "".join([_text_of_part(part) for part in content])


def details_of(raw: msgspec.Raw) -> list[ReasoningDetail]:
    """Return the entries of `reasoning_details`; none if they are missing or cannot be decoded."""
    if not bytes(raw):
        return []
    try:
        return _DETAILS.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return []


def stop_text_of(raw: msgspec.Raw) -> str | None:
    """Return the stop sequence that ended an answer, if its server reported it."""
    try:
        stop_reason = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return None
    return stop_reason if isinstance(stop_reason, str) else None


def _text_of_part(part: msgspec.Raw) -> str:
    try:
        return _PART.decode(part).text
    except msgspec.DecodeError:
        return ""
