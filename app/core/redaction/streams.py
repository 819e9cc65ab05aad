"""Rewrite streamed answers: each text of each choice on its own, from its beginning to its end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import msgspec

from app.core.model import Chunk, StreamEvent, Weight
from app.core.redaction.answers import Form, MakeRewriter
from app.core.redaction.editing import Rewriter
from app.core.stream import Batch

_Json: TypeAlias = dict[str, Any]
_Place: TypeAlias = tuple[str, int]  # a text of a choice: its field, and of tool calls which one
_Holder: TypeAlias = tuple[_Place, _Json, str]  # a text's place, and where the event has its piece

_TEXTS: Final = ("content", "reasoning_content", "reasoning", "refusal")
_CALLS, _CALL, _TEXT = "tool_calls", "function_call", "text"
_SAY_NOTHING: Final = ("index", "type")  # members that only say what others are


class RewriteEvents:
    """
    A transform of a stream.

    A text that begins after another one of its choice ends that, so that what was held back of it goes out before it.
    Events of which nothing is left are left out, and the provider's own frames are dropped: they say what was.

    Args:
        make: Makes a fresh rewriter for each text.

        form: What is known of the answer.

        marks: The characters of which a text has at least one where rewriting begins; None looks at everything.
    """

    def __init__(self, make: MakeRewriter, form: Form, marks: str | None = None) -> None:
        self._make = make
        self._form = form
        self._marks = marks if form.chat else None
        self._open: dict[int, dict[_Place, Rewriter]] = {}

    def __call__(self, batch: Batch) -> Batch:
        """Return the events that go out for those that came in."""
        out: list[StreamEvent] = []
        for event in batch:
            if event.done:
                out += self._rest()
                out.append(event)
            elif self._passes(event.chunk):
                out.append(_without_native(event))
            elif (changed := self._rewritten(event)) is not None:
                out.append(changed)
        return out

    def _passes(self, chunk: Chunk | None) -> bool:
        """Say that an event needs no closer look."""
        if self._marks is None or self._open or chunk is None:
            return False
        return not any(mark in text for text in _texts(chunk) for mark in self._marks)

    def _rewritten(self, event: StreamEvent) -> StreamEvent | None:
        payload = _payload(event.frame)
        choices = payload.get("choices")
        known = [choice for choice in choices if isinstance(choice, dict)] if isinstance(choices, list) else []
        touched = [self._choice(choice) for choice in known]
        if not any(touched):
            return _without_native(event)
        if not payload.get("usage") and all(map(_is_empty, known)):
            return None
        return _event(payload, event.weight)

    def _choice(self, choice: _Json) -> bool:
        """Rewrite one choice's share of an event, and say whether there was anything to rewrite."""
        index = choice.get("index", 0)
        texts = self._open.get(index, {})
        holders = list(_holders(choice, choice.get("delta")))
        ends = bool(choice.get("finish_reason"))
        if not holders and not (ends and texts):
            return False
        self._open[index] = texts
        places = {place for place, _, _ in holders}
        for place in [place for place in texts if places and place not in places]:
            _put(choice, place, texts.pop(place).end())
        for place, holder, key in holders:
            rewriter = texts.get(place) or texts.setdefault(place, self._make(self._is_json(place[0])))
            holder[key] = rewriter.feed(holder[key])
        for place in [place for place, rewriter in texts.items() if ends or (self._marks and rewriter.is_idle)]:
            _put(choice, place, texts.pop(place).end())
        if not texts:
            del self._open[index]
        return True

    def _is_json(self, field: str) -> bool:
        return field in {_CALLS, _CALL} or (field == "content" and self._form.in_json)

    def _rest(self) -> Iterator[StreamEvent]:
        """Yield what is left of choices that nothing has finished."""
        for index, texts in self._open.items():
            choice: _Json = {"index": index, "delta": {}} if self._form.chat else {"index": index}
            for place, rewriter in texts.items():
                _put(choice, place, rewriter.end())
            if not _is_empty(choice):
                yield _event({"object": "chat.completion.chunk", "choices": [choice]}, Weight.ANSWER)
        self._open.clear()


def _texts(chunk: Chunk) -> Iterator[str]:
    for choice in chunk.choices:
        delta = choice.delta
        for text in (delta.content, delta.reasoning_content, delta.reasoning, delta.refusal):
            if isinstance(text, str):
                yield text
            elif text is not None:
                yield from (bytes(part).decode() for part in text)
        for call in (delta.function_call, *[call.function for call in delta.tool_calls or ()]):
            if call is not None and call.arguments is not None:
                yield call.arguments


def _holders(choice: _Json, delta: object) -> Iterator[_Holder]:
    """Yield the texts of a choice, each with where it stands; empty ones are none."""
    if _is_text(choice.get(_TEXT)):
        yield (_TEXT, 0), choice, _TEXT
    if not isinstance(delta, dict):
        return
    for field in _TEXTS:
        if _is_text(delta.get(field)):
            yield (field, 0), delta, field
        elif isinstance(delta.get(field), list):
            parts = (part for part in delta[field] if isinstance(part, dict))
            yield from (((field, 0), part, _TEXT) for part in parts if _is_text(part.get(_TEXT)))
    for number, call in enumerate(delta.get(_CALLS) or ()):
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict) and _is_text(function.get("arguments")):
            yield (_CALLS, call.get("index", number)), function, "arguments"
    function = delta.get(_CALL)
    if isinstance(function, dict) and _is_text(function.get("arguments")):
        yield (_CALL, 0), function, "arguments"


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _put(choice: _Json, place: _Place, text: str) -> None:
    """Add the last piece of a text to a choice's share of an event."""
    if not text:
        return
    field, number = place
    if field == _TEXT:
        choice[_TEXT] = (choice.get(_TEXT) or "") + text
        return
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        delta = choice["delta"] = {}
    if field == _CALLS:
        calls = delta[_CALLS] = list(delta.get(_CALLS) or ())
        call = next((each for each in calls if isinstance(each, dict) and each.get("index") == number), None)
        if call is None:
            call = {"index": number}
            calls.insert(0, call)  # it began before those that are there
        delta = call
        field = "function"
    if field in {_CALL, "function"}:
        function = delta[field] = dict(delta.get(field) or {})
        function["arguments"] = (function.get("arguments") or "") + text
    elif isinstance(delta.get(field), list):
        delta[field].append({"type": _TEXT, _TEXT: text})
    else:
        delta[field] = (delta.get(field) or "") + text


def _is_empty(value: object) -> bool:
    """Say that a part of an event is nothing that a client would miss."""
    if isinstance(value, dict):
        return all(_is_empty(member) for name, member in value.items() if name not in _SAY_NOTHING)
    if isinstance(value, list):
        return all(map(_is_empty, value))
    return value is None or value == ""


def _payload(frame: bytes) -> _Json:
    """Return what an event says; empty for what is no object."""
    found = msgspec.json.decode(frame[len(b"data: ") :]) if frame else None
    return found if isinstance(found, dict) else {}


def _event(payload: _Json, weight: Weight) -> StreamEvent:
    data = msgspec.json.encode(payload)
    try:
        chunk = msgspec.json.decode(data, type=Chunk)
    except msgspec.ValidationError:
        chunk = None  # of a form that we do not know, as it was before
    return StreamEvent(b"data: %b\n\n" % data, chunk, weight)


def _without_native(event: StreamEvent) -> StreamEvent:
    return event if event.native is None else msgspec.structs.replace(event, native=None)
