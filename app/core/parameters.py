"""
What a chat request may not ask for, whoever answers it.

Numbers out of range, roles that nobody knows, too much of something. Pure; what is found first is returned, as a path
and a sentence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from operator import attrgetter
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, get_args

import msgspec

from app.core.model import ChatFields, Message, Part

Finding: TypeAlias = tuple[str, str]  # the path of the field, and what is wrong with it

Role: TypeAlias = Literal["system", "developer", "user", "assistant", "tool", "function"]
ROLES: Final[tuple[Role, ...]] = get_args(Role)
_SPEAKERS: Final = frozenset({"system", "developer", "user"})  # the others may only call tools
_ANY: Final = float("inf")
# As OpenAI documents them; the other dialects take no more.
_RANGES: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "temperature": (0, 2),
        "top_p": (0, 1),
        "n": (1, 128),
        "max_tokens": (1, _ANY),
        "max_completion_tokens": (1, _ANY),
        "frequency_penalty": (-2, 2),
        "presence_penalty": (-2, 2),
        "top_logprobs": (0, 20),
    }
)
_numbers = attrgetter(*_RANGES)
_UNSAID: Final = (None,) * len(_RANGES)  # as in most requests


class Quantities(msgspec.Struct, frozen=True):
    """The most tools and images of one request."""

    max_tools: int
    max_images: int


def too_many(fields: ChatFields, most: Quantities) -> Finding | None:
    """Return what there is too much of."""
    tools = len(fields.tools or ())
    if tools > most.max_tools:
        return "tools", f"'tools' holds {tools} tools; at most {most.max_tools} are allowed."
    images = sum([_images(message.content) for message in fields.messages if isinstance(message.content, list)])
    if images > most.max_images:
        return "messages", f"The messages hold {images} images; at most {most.max_images} are allowed."
    return None


def out_of_range(fields: ChatFields) -> Finding | None:
    """Return a number that no model takes."""
    numbers = _numbers(fields)
    return None if numbers == _UNSAID else next(_misplaced(numbers), None)


def _misplaced(numbers: tuple[float | None, ...]) -> Iterator[Finding]:
    for (name, (least, most)), value in zip(_RANGES.items(), numbers, strict=True):
        if value is not None and not least <= value <= most:
            span = f"at least {least:g}" if most == _ANY else f"between {least:g} and {most:g}"
            yield name, f"{name!r} must be {span}."


def out_of_order(messages: list[Message]) -> Finding | None:
    """Return a message of an unknown role, one that says nothing, or the result of a tool that nobody called."""
    called: set[str] = set()
    for index, message in enumerate(messages):
        if message.role not in ROLES:
            known = ", ".join(ROLES)
            return f"messages[{index}].role", f"The role of message {index} is none of {known}."
        if message.content is None and message.role in _SPEAKERS:
            return f"messages[{index}].content", f"A message with the role {message.role!r} must have a 'content'."
        if message.role == "tool" and message.tool_call_id not in called:
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
