"""
How deeply a JSON text is nested, told without decoding it.

Long prompts are the usual thing, and a regular expression takes its time for their strings. So brackets are counted
first, which is a few jumps through the text, and of a long conversation each message is looked at by itself. Pure.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from app.core.json_members import LONG_BYTES, STRING, spans

_STRING: Final = re.compile(STRING, re.DOTALL)
_NO_BRACKET: Final = bytes(byte for byte in range(256) if byte not in b"[]{}")
_ITEMS: Final = msgspec.json.Decoder(list[msgspec.Raw])


def deeper_than(raw: bytes, levels: int) -> bool:
    """Say whether `raw`, a JSON object, is nested more than `levels` deep."""
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
