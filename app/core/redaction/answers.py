"""Rewrites answers, whole or streamed: each text of each choice separately."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from app.core.model import Chunk, Completion, StreamEvent, Weight
from app.core.redaction.body import ANSWER, ANSWER_IN_JSON, DETAILS, PLAIN_ANSWER, rewritten
from app.core.redaction.editing import Rewriter, in_full
from app.core.redaction.event_texts import (
    CALL,
    CALLS,
    DELTA,
    TEXT,
    WHOLE,
    Json,
    Place,
    holders_of,
    is_empty,
    is_text,
    put,
    read,
    texts_of,
    written,
)
from app.core.stream import Batch

_NOTHING: Final = StreamEvent(b"", None, Weight.ANSWER)
MakeRewriter: TypeAlias = Callable[[bool], Rewriter]  # for a text that is JSON itself, or plain


class AnswerFormat(msgspec.Struct, frozen=True):
    """
    What is known about an answer beforehand.

    `chat`: it answers a chat request, whose text fields are known (otherwise all strings are texts). `in_json`: its
    content is JSON, so replacements have to be escaped.
    """

    chat: bool
    in_json: bool = False


def rewrite_whole(completion: Completion, make: MakeRewriter, form: AnswerFormat) -> Completion:
    """Return the answer with its texts rewritten; the same object if that changes nothing."""
    if completion.media_type.partition(";")[0].strip() != "application/json":
        return completion
    if not form.chat and not completion.raw.lstrip().startswith(b"{"):
        return _rewrite_prose(completion, make)
    rule = (ANSWER_IN_JSON if form.in_json else ANSWER) if form.chat else PLAIN_ANSWER

    def visit(_path: str, text: str, json: bool) -> str:
        return in_full(make(json), text)

    raw = rewritten(completion.raw, rule, visit)
    return completion if raw is completion.raw else msgspec.structs.replace(completion, raw=raw, native=None)


def _rewrite_prose(completion: Completion, make: MakeRewriter) -> Completion:
    """Rewrite an answer that is plain text, for example a transcript; one that is not UTF-8 is left unchanged."""
    try:
        text = completion.raw.decode()
    except UnicodeDecodeError:
        return completion
    return msgspec.structs.replace(completion, raw=in_full(make(False), text).encode())


class RewriteEvents:
    """
    A transform that rewrites the texts of a stream.

    The beginning of another text of a choice ends the one before, so that its held-back rest is sent first. Events that
    are empty after rewriting are dropped.

    Args:
        make: Makes a fresh rewriter for each text.

        form: What is known about the answer.

        marks: Characters of which every text to rewrite has at least one; None: all texts have to be rewritten.
    """

    def __init__(self, make: MakeRewriter, form: AnswerFormat, marks: str | None = None) -> None:
        self._make = make
        self._form = form
        self._marks = marks if form.chat else None
        self._open: dict[int, dict[Place, Rewriter]] = {}
        self._last: tuple[StreamEvent, bytes, Json] | None = None  # of a transcript: template for the rest

    def __call__(self, batch: Batch) -> Batch:
        """Return the rewritten events of a batch."""
        out: list[StreamEvent] = []
        for event in batch:
            if event.done:
                out += self._rest()
                out.append(event)
            elif self._passes(event.chunk):
                out.append(event)
            else:
                out += self._rewritten(event)
        return out

    def _passes(self, chunk: Chunk | None) -> bool:
        """Return whether an event needs no rewriting."""
        if self._marks is None or self._open or chunk is None:
            return False
        return not any(mark in text for text in texts_of(chunk) for mark in self._marks)

    def _rewritten(self, event: StreamEvent) -> list[StreamEvent]:
        head, payload = read(event.frame)
        choices = payload.get("choices")
        if not isinstance(choices, list):
            return self._transcription(event, head, payload)
        known = [choice for choice in choices if isinstance(choice, dict)]
        touched = [self._choice(choice) for choice in known]
        if not any(touched):
            return [event]
        if not payload.get("usage") and all(map(is_empty, known)):
            return []
        return [written(event, head, payload)]

    def _choice(self, choice: Json) -> bool:
        """Rewrite one choice of an event, and return whether there was anything to rewrite."""
        index, delta = choice.get("index", 0), choice.get(DELTA)
        texts = self._open.get(index, {})
        holders = list(holders_of(choice, delta))
        wholes = [self._whole(delta, name) for name in WHOLE] if isinstance(delta, dict) else []
        ends = bool(choice.get("finish_reason"))
        if not holders and not (ends and texts):
            return any(wholes)
        self._open[index] = texts
        places = {place for place, _, _ in holders}
        for place in [place for place in texts if places and place not in places]:
            put(choice, place, texts.pop(place).end())
        for place, holder, key in holders:
            rewriter = texts.get(place) or texts.setdefault(place, self._make(self._is_json(place[0])))
            holder[key] = rewriter.feed(holder[key])
        for place in [place for place, rewriter in texts.items() if ends or (self._marks and rewriter.is_idle)]:
            put(choice, place, texts.pop(place).end())
        if not texts:
            del self._open[index]
        return True

    def _transcription(self, event: StreamEvent, head: bytes, payload: Json) -> list[StreamEvent]:
        """Rewrite an event of a transcription: a piece of its text, or the whole text at the end."""
        if is_text(payload.get(DELTA)):
            texts = self._open.setdefault(0, {})
            rewriter = texts.setdefault((DELTA, 0), self._make(False))
            payload[DELTA] = rewriter.feed(payload[DELTA])
            self._last = event, head, payload
            return [written(event, head, payload)] if payload[DELTA] else []
        if not is_text(payload.get(TEXT)):
            return [event]
        rest = self._rest()
        payload[TEXT] = in_full(self._make(False), payload[TEXT])
        return [*rest, written(event, head, payload)]

    def _whole(self, delta: Json, name: str) -> bool:
        """Rewrite the texts of a member that comes in one piece, and return whether that changed it."""
        raw = msgspec.json.encode(delta.get(name))
        new = rewritten(raw, DETAILS, self._text)
        if new is raw:
            return False
        delta[name] = msgspec.Raw(new)
        return True

    def _text(self, _path: str, text: str, json: bool) -> str:
        return in_full(self._make(json), text)

    def _is_json(self, field: str) -> bool:
        return field in {CALLS, CALL} or (field == "content" and self._form.in_json)

    def _rest(self) -> list[StreamEvent]:
        """Return events for the held-back rest of all texts, and end them."""
        out: list[StreamEvent] = []
        for index, texts in self._open.items():
            choice: Json = {"index": index, DELTA: {}} if self._form.chat else {"index": index}
            for place, rewriter in texts.items():
                rest = rewriter.end()
                if place[0] == DELTA and rest and self._last is not None:
                    event, head, payload = self._last
                    out.append(written(event, head, {**payload, DELTA: rest}))
                elif place[0] != DELTA:
                    put(choice, place, rest)
            if not is_empty(choice):
                out.append(written(_NOTHING, b"", {"object": "chat.completion.chunk", "choices": [choice]}))
        self._open.clear()
        return out
