"""The output items of a streamed response, and the events for their start, their deltas and their end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import msgspec

from app.api.dialects.responses.answer import Json, annotations_of, message_item, reasoning_item, text_part
from app.core.dialects.reasoning import sealed
from app.core.model import ToolDelta

Told: TypeAlias = tuple[str, Json]  # an event's type and its members


class Growing(ABC):
    """One output item; `place` is its index in the output."""

    def __init__(self, item_id: str, place: int) -> None:
        self.id = item_id
        self.place = place
        self._texts: list[str] = []  # deltas of the current part

    @abstractmethod
    def item(self, status: str = "completed") -> Json:
        """Return the item as received so far."""

    def begin(self) -> Iterator[Told]:
        """Yield the events that start the item."""
        yield "response.output_item.added", {"output_index": self.place, "item": self.item("in_progress")}

    def finish(self) -> Iterator[Told]:
        """Yield the events that complete the item."""
        yield from self._finish_part()
        yield "response.output_item.done", {"output_index": self.place, "item": self.item()}

    @abstractmethod
    def _finish_part(self) -> Iterator[Told]:
        """Yield the events that complete the current part."""

    @property
    def _text(self) -> str:
        return "".join(self._texts)

    @property
    def _at(self) -> Json:
        return {"item_id": self.id, "output_index": self.place}


class Thinking(Growing):
    """Reasoning: a streamed summary, and the encrypted content that its provider needs back (`hidden`)."""

    hidden: str | None = sealed()

    def item(self, status: str = "completed") -> Json:
        """Return the item; `hidden` only once it is complete."""
        text, hidden = self._text, self.hidden if status == "completed" else None
        return reasoning_item(self.id, [text] if text else [], hidden)

    def more(self, text: str) -> Iterator[Told]:
        """Yield the events for a delta of the summary."""
        if not self._texts:
            yield "response.reasoning_summary_part.added", {**self._at, "part": _summary("")}
        self._texts.append(text)
        yield "response.reasoning_summary_text.delta", {**self._at, "delta": text}

    def _finish_part(self) -> Iterator[Told]:
        if self._texts:
            yield "response.reasoning_summary_text.done", {**self._at, "text": self._text}
            yield "response.reasoning_summary_part.done", {**self._at, "part": _summary(self._text)}

    @property
    def _at(self) -> Json:
        return {**super()._at, "summary_index": 0}


def _summary(text: str) -> Json:
    return {"type": "summary_text", "text": text}


class Saying(Growing):
    """A message: parts of text and refusal, streamed one after the other."""

    def __init__(self, item_id: str, place: int) -> None:
        super().__init__(item_id, place)
        self._parts: list[Json] = []
        self._annotations: list[object] = []
        self._logprobs: list[msgspec.Raw] = []
        self._kind = ""

    def item(self, status: str = "completed") -> Json:
        """Return the whole item."""
        return message_item(self.id, self._parts, status)

    def more(self, kind: str, text: str, logprobs: Sequence[msgspec.Raw] = ()) -> Iterator[Told]:
        """Yield the events for a delta of a part; its `kind` is `output_text` or `refusal`."""
        if kind != self._kind:
            yield from self._finish_part()
            self._kind = kind
            yield "response.content_part.added", {**self._at, "part": self._part()}
        self._texts.append(text)
        if kind == "refusal":
            yield "response.refusal.delta", {**self._at, "delta": text}
        else:
            self._logprobs += logprobs
            yield "response.output_text.delta", {**self._at, "delta": text, "logprobs": logprobs}

    def annotate(self, raw: msgspec.Raw) -> Iterator[Told]:
        """Yield the events for annotations of the text."""
        for annotation in annotations_of(raw):
            place = {"annotation_index": len(self._annotations), "annotation": annotation}
            self._annotations.append(annotation)
            yield "response.output_text.annotation.added", {**self._at, **place}

    def _finish_part(self) -> Iterator[Told]:
        if not self._kind:
            return
        text, part = self._text, self._part()
        if self._kind == "refusal":
            yield "response.refusal.done", {**self._at, "refusal": text}
        else:
            yield "response.output_text.done", {**self._at, "text": text, "logprobs": self._logprobs}
        yield "response.content_part.done", {**self._at, "part": part}
        self._parts.append(part)
        self._kind, self._texts, self._annotations, self._logprobs = "", [], [], []

    def _part(self) -> Json:
        if self._kind == "refusal":
            return {"type": "refusal", "refusal": self._text}
        return text_part(self._text, self._annotations, self._logprobs)

    @property
    def _at(self) -> Json:
        return {**super()._at, "content_index": len(self._parts)}


class Calling(Growing):
    """A call of a function or of a custom tool, with streamed arguments or input."""

    def __init__(self, item_id: str, place: int, first: ToolDelta) -> None:
        super().__init__(item_id, place)
        self._custom = first.custom is not None
        self._name = (first.custom and first.custom.name) or (first.function and first.function.name) or ""
        self._call_id = first.id or item_id

    def item(self, status: str = "completed") -> Json:
        """Return the whole item."""
        kind, member = ("custom_tool_call", "input") if self._custom else ("function_call", "arguments")
        shown = {"id": self.id, "type": kind, "status": status, "call_id": self._call_id, "name": self._name}
        return {**shown, member: self._text}

    def more(self, text: str) -> Iterator[Told]:
        """Yield the event for a delta of the arguments or the input."""
        self._texts.append(text)
        kind = "custom_tool_call_input" if self._custom else "function_call_arguments"
        yield f"response.{kind}.delta", {**self._at, "delta": text}

    def _finish_part(self) -> Iterator[Told]:
        if self._custom:
            yield "response.custom_tool_call_input.done", {**self._at, "input": self._text}
        else:
            yield "response.function_call_arguments.done", {**self._at, "name": self._name, "arguments": self._text}
