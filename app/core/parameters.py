"""
What a chat request may not ask for, whoever answers it.

Numbers out of range, roles that nobody knows, too much of something. Pure; each finding is a path and a sentence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Final, TypeAlias

import msgspec

from app.core.model import ChatFields, Message, Part

Finding: TypeAlias = tuple[str, str]  # the path of the field, and what is wrong with it

ROLES: Final = ("system", "developer", "user", "assistant", "tool", "function")
_SPEAKERS: Final = frozenset({"system", "developer", "user"})  # the others may only call tools
_TALKERS: Final = _SPEAKERS | {"assistant", "function"}  # whose messages are in order as soon as they say something
_ANY: Final = float("inf")


class _Range(msgspec.Struct, frozen=True):
    name: str
    least: float
    most: float

    @property
    def words(self) -> str:
        if self.most == _ANY:
            return f"at least {self.least:g}"
        return f"between {self.least:g} and {self.most:g}"


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


def too_many(fields: ChatFields, most: Quantities) -> list[Finding]:
    """Return what there is too much of."""
    found = []
    if fields.tools is not None and len(fields.tools) > most.max_tools:
        tools = len(fields.tools)
        found.append(("tools", f"'tools' holds {tools} tools; at most {most.max_tools} are allowed."))
    images = sum([_images(message.content) for message in fields.messages if isinstance(message.content, list)])
    if images > most.max_images:
        found.append(("messages", f"The messages hold {images} images; at most {most.max_images} are allowed."))
    return found


def out_of_range(fields: ChatFields) -> list[Finding]:
    """Return numbers that no model takes."""
    return [
        (bounds.name, f"{bounds.name!r} must be {bounds.words}.")
        for bounds, value in zip(_RANGES, _numbers(fields), strict=True)
        if value is not None and not bounds.least <= value <= bounds.most
    ]


def out_of_order(messages: list[Message]) -> Iterable[Finding]:
    """Return messages of unknown roles, those that say nothing, and results of tools that nobody called."""
    odd = [message for message in messages if message.content is None or message.role not in _TALKERS]
    return _misplaced(messages) if odd else ()


def _misplaced(messages: list[Message]) -> Iterator[Finding]:
    called: set[str] = set()
    for index, message in enumerate(messages):
        if message.role not in ROLES:
            known = ", ".join(ROLES)
            yield f"messages[{index}].role", f"The role of message {index} is none of {known}."
        if message.content is None and message.role in _SPEAKERS:
            yield f"messages[{index}].content", f"A message with the role {message.role!r} must have a 'content'."
        if message.role == "tool":
            yield from _unasked(index, message, called)
        if message.tool_calls:
            called.update([call.id for call in message.tool_calls if call.id is not None])


def _unasked(index: int, message: Message, called: set[str]) -> Iterator[Finding]:
    path = f"messages[{index}].tool_call_id"
    if message.tool_call_id is None:
        yield path, "A message with the role 'tool' must say in 'tool_call_id' which call it answers."
    elif message.tool_call_id not in called:
        yield path, "No assistant message before this one holds a tool call of that id."


def _images(content: list[Part]) -> int:
    return sum([part.type == "image_url" for part in content])
