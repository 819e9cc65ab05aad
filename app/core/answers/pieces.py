"""
Adds up the pieces of a streamed answer, field by field.

Texts are joined, lists continued, objects added up member by member; of all other types the last value that is not
empty counts. Unknown fields are treated by their type.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import msgspec

Members: TypeAlias = dict[str, Any]

# In any object. A string under another name is an id or a label, which is repeated and not continued.
_TEXTS: Final = frozenset(
    {"content", "refusal", "reasoning_content", "reasoning", "thinking", "text", "summary"}
    | {"arguments", "input"}  # of calls of functions, of custom tools
    | {"transcript", "data"}  # of audio
)
_PARTS: Final = frozenset({"text", "thinking"})  # of a message: the next of the same type continues the last
_LOOKED_BACK: Final = 32  # members of a list searched for the one that a piece continues


class Text:
    """A text in pieces; appending to a string would copy it each time."""

    __slots__ = ("pieces",)

    def __init__(self, *pieces: str) -> None:
        self.pieces = list(pieces)


def joined(text: Text) -> str:
    """Return a text as one string; the hook of a msgspec encoder, which knows all other types."""
    return "".join(text.pieces)


def add_up(members: Members, name: str, value: object) -> int:
    """Add the value of one field to the sum of earlier pieces, and return its growth in bytes, approximately."""
    known = members.get(name)
    if isinstance(value, str) and name in _TEXTS:
        return _append(members, name, value)
    if isinstance(value, dict):
        if not isinstance(known, dict):
            known = members[name] = {}
        return sum([add_up(known, field, part) for field, part in value.items()], len(name))
    if isinstance(value, list):
        if not isinstance(known, list):
            has_text = isinstance(known, Text) and any(known.pieces)
            known = members[name] = [{"type": "text", "text": known}] if has_text else []
        return _extend(known, value)
    if value or name not in members:
        members[name] = value
        return 0 if known is value else len(name)
    return 0


def _append(members: Members, name: str, piece: str) -> int:
    known = members.get(name)
    if isinstance(known, list):
        return _extend(known, [{"type": "text", "text": piece}]) if piece else 0
    if not isinstance(known, Text):
        known = members[name] = Text(known) if isinstance(known, str) else Text()
    known.pieces.append(piece)
    return len(piece)


def _extend(known: list[Any], items: list[Any]) -> int:
    """Add items to a list: each continues a member, or is appended."""
    grown, there = 0, len(known)
    for place, item in enumerate(items):
        earlier = _earlier(known, there, item) if isinstance(item, dict) else None
        if earlier is None or (place and "index" not in item):
            known.append(item)
            grown += len(msgspec.json.encode(item))
        else:
            grown += sum([add_up(earlier, field, part) for field, part in item.items()])
    return grown


def _earlier(known: list[Any], there: int, item: Members) -> Members | None:
    """Return which of the first `there` members an item continues: the one of its `index`, else the last, if a text."""
    kind, index = item.get("type"), item.get("index")
    if index is None:
        nearest = known[there - 1 : there] if kind in _PARTS else []
    else:
        nearest = known[max(0, there - _LOOKED_BACK) : there]
    for other in reversed(nearest):
        if isinstance(other, dict) and other.get("index") == index and other.get("type") == kind:
            return other
    return None
