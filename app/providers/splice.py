"""
Exchange one top-level value of a JSON object and leave every other byte alone.

A body whose model has to be renamed is not re-encoded: unknown fields, number spellings, key order and white space
reach the provider as the client wrote them.
"""

from __future__ import annotations

import re

import msgspec

from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.json_text import LONG_BYTES, STRING, spans

_MODEL = re.compile(rb'"model"\s*:\s*' + STRING)
_ESCAPED_LETTER = b"\\u006"  # how a key could spell a letter of "model" without using it


def replace_model(raw: bytes, model: str) -> bytes:
    """
    Return `raw`, a JSON object with a string at its top-level key `model`, with that string replaced.

    Raises:
        GatewayError: INVALID_REQUEST if the value cannot be told from another one, because `model` appears more than
            once and some top-level key does so too.
    """
    place = _find_fast(raw) or _walk(raw) if len(raw) <= LONG_BYTES else _walk(raw) or _find_fast(raw)
    if place is None:
        raise GatewayError(INVALID_REQUEST, "A top-level field appears twice in the body.")
    start, end = place
    return b"".join((raw[:start], msgspec.json.encode(model), memoryview(raw)[end:]))  # copied once, however long


def _find_fast(raw: bytes) -> tuple[int, int] | None:
    """
    Find the value by its only possible spelling.

    A match is a real key (inside a string its quotes would be escaped), and if `"model"` occurs once in the whole
    body and no key can be an escaped spelling of it, that key is the top-level one.
    """
    if raw.count(b'"model"') != 1 or _ESCAPED_LETTER in raw:
        return None
    match = _MODEL.search(raw)
    return match.span(1) if match else None


def _walk(raw: bytes) -> tuple[int, int] | None:
    """Find it by walking over the top-level members, none of which must be there twice."""
    try:
        found = spans(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise GatewayError(INVALID_REQUEST, "A top-level field's name is not text.") from error
    return None if found is None else found.get("model")
