"""
What a chat request may not ask for, whoever answers it.

Numbers out of range, roles that nobody knows, too much of something. Pure; what is found first is returned, as a path
and a sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Final, Literal, TypeAlias, get_args

import msgspec

from app.core.model import ChatFields, Message, Part, Tool

Finding: TypeAlias = tuple[str, str]  # the path of the field, and what is wrong with it

Role: TypeAlias = Literal["system", "developer", "user", "assistant", "tool", "function"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
_SPEAKERS: Final = frozenset({"system", "developer", "user"})  # the others may only call tools
_TALKERS: Final = _SPEAKERS | {"assistant", "function"}  # whose messages are in order as soon as they say something
_ANY: Final = float("inf")


class _Range(msgspec.Struct, frozen=True):
    name: str
    least: float
    most: float

    @property
    def words(self) -> str:
        return f"at least {self.least:g}" if self.most == _ANY else f"between {self.least:g} and {self.most:g}"


# As OpenAI documents them; the other dialects take no more.
_RANGES: Final = (
    _Range("temperature", 0, 2),
    _Range("top_p", 0, 1),
    _Range("n", 1, 128),
    _Range("max_tokens", 1, _ANY),
    _Range("max_completion_tokens", 1, _ANY),
    _Range("frequency_penalty", -2, 2),
    _Range("presence_penalty", -2, 2),
    _Range("top_logprobs", 0, 20),
)
_numbers = attrgetter(*[bounds.name for bounds in _RANGES])


class Quantities(msgspec.Struct, frozen=True):
    """The most tools and images of one request."""

    max_tools: int
    max_images: int


def unfit(fields: ChatFields, most: Quantities, *, strict: bool, continued: bool = False) -> Finding | None:
    """
    Return what may not be asked for: something of which there is too much.

    With `strict` also a number that no model takes, a message of an unknown role, one that says nothing, or the result
    of a tool that nobody called; in a conversation that is `continued` the call may stand in what was said before.
    """
    unusual = [each for each in fields.messages if not isinstance(each.content, str) or each.role not in _TALKERS]
    finding = _too_many(fields.tools or (), unusual, most) if unusual or fields.tools else None
    if finding is None and strict:
        finding = _out_of_range(fields)
        if finding is None and unusual:
            finding = _out_of_order(fields.messages, continued=continued)
    return finding


def _too_many(tools: Sequence[Tool], unusual: Sequence[Message], most: Quantities) -> Finding | None:
    if len(tools) > most.max_tools:
        return "tools", f"'tools' holds {len(tools)} tools; at most {most.max_tools} are allowed."
    images = sum([_images(message.content) for message in unusual if isinstance(message.content, list)])
    if images > most.max_images:
        return "messages", f"The messages hold {images} images; at most {most.max_images} are allowed."
    return None


def _out_of_range(fields: ChatFields) -> Finding | None:
    for bounds, value in zip(_RANGES, _numbers(fields), strict=True):
        if value is not None and not bounds.least <= value <= bounds.most:
            return bounds.name, f"{bounds.name!r} must be {bounds.words}."
    return None


def _out_of_order(messages: list[Message], *, continued: bool) -> Finding | None:
    called: set[str] = set()
    for index, message in enumerate(messages):
        if message.role not in ROLES:
            known = ", ".join(ROLES)
            return f"messages[{index}].role", f"The role of message {index} is none of {known}."
        if message.content is None and message.role in _SPEAKERS:
            return f"messages[{index}].content", f"A message with the role {message.role!r} must have a 'content'."
        known_before = continued and message.tool_call_id is not None
        if message.role == "tool" and message.tool_call_id not in called and not known_before:
            return f"messages[{index}].tool_call_id", _unasked(message)
        if message.tool_calls:
            called.update([call.id for call in message.tool_calls if call.id is not None])
    return None


def _unasked(message: Message) -> str:
    if message.tool_call_id is None:
        return "A message with the role 'tool' must say in 'tool_call_id' which call it answers."
    return "No assistant message before this one holds a tool call of that id."


def _images(parts: list[Part]) -> int:
    return sum([part.type == "image_url" for part in parts])
