"""
What can be told of a JSON text without decoding what it holds: where its members stand, how deeply it is nested.

Pure.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

# Reads an object by its members. Ready-made it takes a sixth of the time of naming the type on each call.
OBJECT: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
LONG_BYTES: Final = 1024  # from here on it is quicker to walk over the members than to look for a name (measured)
STRING = rb'("[^"\\]*+(?:\\.[^"\\]*+)*+")'  # possessive: a long text takes no memory
_STRING = re.compile(STRING, re.DOTALL)
_KEY = re.compile(rb"\s*[{,]\s*" + STRING + rb"\s*:\s*", re.DOTALL)
_NAME = msgspec.json.Decoder(str)
_END = re.compile(rb"\s*\}\s*")
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_NO_BRACKET = bytes(byte for byte in range(256) if byte not in b"[]{}")


def spans(raw: bytes) -> dict[str, tuple[int, int]] | None:
    """
    Return the place of each member's value in `raw`, a JSON object; None if a member is there twice.

    Raises:
        msgspec.DecodeError: Or UnicodeDecodeError, if a name is no text.
    """
    values = OBJECT.decode(raw)  # measures them; of a repeated one it knows the last
    found: dict[str, tuple[int, int]] = {}
    position = 0
    while key := _KEY.match(raw, position):
        name = _NAME.decode(key[1])
        value = memoryview(values.pop(name, b""))  # compared where it stands: a copy of a long prompt takes longer
        position = key.end() + len(value)
        if not value or not raw.startswith(value, key.end()):
            return None
        found[name] = (key.end(), position)
    return found if _END.fullmatch(raw, position) else None


def deeper_than(raw: bytes, levels: int) -> bool:
    """
    Say whether `raw`, a JSON object, is nested more than `levels` deep.

    Long prompts are the usual thing, and a regular expression takes its time for their strings. So brackets are counted
    first, which is a few jumps through the text, and of a long conversation each message is looked at by itself.
    """
    if _has_few_brackets(raw, levels):
        return False
    members = spans(raw) if len(raw) > LONG_BYTES else None
    if members is None:  # short, or with a member that is there twice
        return _measured(raw, levels)
    return any(_value_deeper(raw[start:end], levels - 1) for start, end in members.values())


def _value_deeper(value: bytes, levels: int) -> bool:
    if value.startswith(b'"') or _has_few_brackets(value, levels):
        return False
    if not (value.startswith(b"[") and levels):
        return _measured(value, levels)
    items = [bytes(item) for item in _ITEMS.decode(value)]
    return any(not _has_few_brackets(item, levels - 1) and _measured(item, levels - 1) for item in items)


def _has_few_brackets(text: bytes, most: int) -> bool:
    """Say whether there are too few of them to be nested deeper, be they in strings or not."""
    if len(text) <= LONG_BYTES:
        return text.count(b"{") + text.count(b"[") <= most
    left = most
    for bracket in (b"{", b"["):
        at = text.find(bracket)
        while at >= 0:
            left -= 1
            if left < 0:
                return False
            at = text.find(bracket, at + 1)
    return True


def _measured(text: bytes, levels: int) -> bool:
    depth = 0
    for bracket in _STRING.sub(b"", text).translate(None, _NO_BRACKET):
        depth += 1 if bracket in b"{[" else -1
        if depth > levels:
            return True
    return False
