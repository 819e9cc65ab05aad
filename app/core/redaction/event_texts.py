"""Locates the texts of a streamed event; reads and writes events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import msgspec

from app.core.model import Chunk, StreamEvent

Json: TypeAlias = dict[str, Any]
Place: TypeAlias = tuple[str, int]  # identifies a text of a choice: its field, and the index of the tool call
Holder: TypeAlias = tuple[Place, Json, str]  # a text's place, and the object and key with its piece in the event

CALLS, CALL, DELTA, TEXT = "tool_calls", "function_call", "delta", "text"
WHOLE: Final = ("reasoning_details", "annotations")  # members of a delta whose texts come in one piece
_TEXTS: Final = ("content", "reasoning_content", "reasoning", "refusal")
_LABELS: Final = ("index", "type")  # members that are not content
_DATA: Final = b"data:"


def texts_of(chunk: Chunk) -> Iterator[str]:
    """Yield the pieces of text in an event, and raw JSON that may contain texts."""
    for choice in chunk.choices:
        delta = choice.delta
        for text in (delta.content, delta.reasoning_content, delta.reasoning, delta.refusal):
            if isinstance(text, str):
                yield text
            elif text is not None:
                yield from (bytes(part).decode() for part in text)
        for raw in (delta.reasoning_details, delta.annotations):
            yield bytes(raw)[1:].decode()  # without the bracket of the list, which would count as a mark
        for call in (delta.function_call, *[call.function for call in delta.tool_calls or ()]):
            if call is not None and call.arguments is not None:
                yield call.arguments


def holders_of(choice: Json, delta: object) -> Iterator[Holder]:
    """Yield the location of each text of a choice that is not empty."""
    if is_text(choice.get(TEXT)):
        yield (TEXT, 0), choice, TEXT
    if not isinstance(delta, dict):
        return
    for field in _TEXTS:
        if is_text(delta.get(field)):
            yield (field, 0), delta, field
        elif isinstance(delta.get(field), list):
            parts = (part for part in delta[field] if isinstance(part, dict))
            yield from (((field, 0), part, TEXT) for part in parts if is_text(part.get(TEXT)))
    for number, call in enumerate(delta.get(CALLS) or ()):
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict) and is_text(function.get("arguments")):
            yield (CALLS, call.get("index", number)), function, "arguments"
    function = delta.get(CALL)
    if isinstance(function, dict) and is_text(function.get("arguments")):
        yield (CALL, 0), function, "arguments"


def is_text(value: object) -> bool:
    """Return whether a value is a string that is not empty."""
    return isinstance(value, str) and value != ""


def put(choice: Json, place: Place, text: str) -> None:
    """Add the last piece of a text to a choice of an event."""
    if not text:
        return
    field, number = place
    if field == TEXT:
        choice[TEXT] = (choice.get(TEXT) or "") + text
        return
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        delta = choice["delta"] = {}
    if field == CALLS:
        calls = delta[CALLS] = list(delta.get(CALLS) or ())
        call = next((each for each in calls if isinstance(each, dict) and each.get("index") == number), None)
        if call is None:
            call = {"index": number}
            calls.insert(0, call)  # it began before the others
        delta = call
        field = "function"
    if field in {CALL, "function"}:
        function = delta[field] = dict(delta.get(field) or {})
        function["arguments"] = (function.get("arguments") or "") + text
    elif isinstance(delta.get(field), list):
        delta[field].append({"type": TEXT, TEXT: text})
    else:
        delta[field] = (delta.get(field) or "") + text


def is_empty(value: object) -> bool:
    """Return whether a part of an event has no content."""
    if isinstance(value, dict):
        return all(is_empty(member) for name, member in value.items() if name not in _LABELS)
    if isinstance(value, list):
        return all(map(is_empty, value))
    return value is None or value == ""


def read(frame: bytes) -> tuple[bytes, Json]:
    """Return the lines before the data of an event, and the data; an empty object if it is not one."""
    at = frame.find(_DATA)
    if at < 0:
        return b"", {}
    data = frame[at + len(_DATA) :].replace(b"\n" + _DATA, b"\n")
    payload = msgspec.json.decode(data) if data.lstrip()[:1] == b"{" else None
    return frame[:at], payload if isinstance(payload, dict) else {}


def written(event: StreamEvent, head: bytes, payload: Json) -> StreamEvent:
    """Return the event with another payload."""
    data = msgspec.json.encode(payload)
    return StreamEvent(b"%bdata: %b\n\n" % (head, data), _chunk(payload, event.chunk), event.weight)


def _chunk(payload: Json, before: Chunk | None) -> Chunk | None:
    """Return the decoded chunk of a payload; None if its form is unknown."""
    choices = payload.get("choices")
    if not isinstance(choices, list):
        return before  # in other forms only the usage matters
    try:
        return msgspec.convert({**payload, "choices": [_modern(choice) for choice in choices]}, Chunk)
    except msgspec.ValidationError:
        return None


def _modern(choice: object) -> object:
    """Return a choice of legacy completions in the form of a chat: its text is content."""
    if not isinstance(choice, dict) or TEXT not in choice:
        return choice
    return {**choice, DELTA: {"content": choice[TEXT]}}
