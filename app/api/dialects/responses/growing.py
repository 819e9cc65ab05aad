"""The items of a streamed response while they grow: what is told when one begins, goes on, and is done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeAlias

import msgspec

from app.api.dialects.responses.answer import Json, annotations_of, message_item, reasoning_item, text_part
from app.core.model import ToolDelta

Told: TypeAlias = tuple[str, Json]  # an event's type and its members


class Growing(Protocol):
    """One item; its `place` is that in the output."""

    place: int

    def item(self) -> Json:
        """Return the whole item, as far as it has come."""
        ...

    def begin(self) -> Iterator[Told]:
        """Tell that the item is there."""
        ...

    def finish(self) -> Iterator[Told]:
        """Tell that it is done."""
        ...


class Thinking:
    """Reasoning: a summary that grows, and what its provider wants to see again (`hidden`)."""

    def __init__(self, item_id: str, place: int) -> None:
        self.place = place
        self.id = item_id
        self.hidden: str | None = None
        self._texts: list[str] = []
        self._at = {"item_id": item_id, "output_index": place, "summary_index": 0}

    def item(self) -> Json:
        """Return the whole item."""
        text = "".join(self._texts)
        return reasoning_item(self.id, [text] if text else [], self.hidden)

    def begin(self) -> Iterator[Told]:
        """Tell that the item is there."""
        yield "response.output_item.added", {"output_index": self.place, "item": reasoning_item(self.id, [], None)}

    def more(self, text: str) -> Iterator[Told]:
        """Tell more of the summary."""
        if not self._texts:
            yield "response.reasoning_summary_part.added", {**self._at, "part": _summary("")}
        self._texts.append(text)
        yield "response.reasoning_summary_text.delta", {**self._at, "delta": text}

    def finish(self) -> Iterator[Told]:
        """Tell that it is done."""
        if self._texts:
            text = "".join(self._texts)
            yield "response.reasoning_summary_text.done", {**self._at, "text": text}
            yield "response.reasoning_summary_part.done", {**self._at, "part": _summary(text)}
        yield "response.output_item.done", {"output_index": self.place, "item": self.item()}


def _summary(text: str) -> Json:
    return {"type": "summary_text", "text": text}


class Saying:
    """A message: parts of text and refusal, each of which grows in its turn."""

    def __init__(self, item_id: str, place: int) -> None:
        self.place = place
        self._id = item_id
        self._parts: list[Json] = []
        self._texts: list[str] = []
        self._annotations: list[object] = []
        self._logprobs: list[msgspec.Raw] = []
        self._kind = ""

    def item(self) -> Json:
        """Return the whole item."""
        return message_item(self._id, self._parts)

    def begin(self) -> Iterator[Told]:
        """Tell that the item is there."""
        yield (
            "response.output_item.added",
            {
                "output_index": self.place,
                "item": message_item(self._id, [], "in_progress"),
            },
        )

    def more(self, kind: str, text: str, logprobs: Sequence[msgspec.Raw] = ()) -> Iterator[Told]:
        """Tell more of a part; its `kind` is `output_text` or `refusal`."""
        if kind != self._kind:
            yield from self._finish_part()
            self._kind = kind
            yield "response.content_part.added", {**self._at(), "part": self._part()}
        self._texts.append(text)
        if kind == "refusal":
            yield "response.refusal.delta", {**self._at(), "delta": text}
        else:
            self._logprobs += logprobs
            yield "response.output_text.delta", {**self._at(), "delta": text, "logprobs": logprobs}

    def annotate(self, raw: msgspec.Raw) -> Iterator[Told]:
        """Tell what the text rests on."""
        for annotation in annotations_of(raw):
            place = {"annotation_index": len(self._annotations), "annotation": annotation}
            self._annotations.append(annotation)
            yield "response.output_text.annotation.added", {**self._at(), **place}

    def finish(self) -> Iterator[Told]:
        """Tell that it is done."""
        yield from self._finish_part()
        yield "response.output_item.done", {"output_index": self.place, "item": self.item()}

    def _finish_part(self) -> Iterator[Told]:
        if not self._kind:
            return
        text, part = "".join(self._texts), self._part()
        if self._kind == "refusal":
            yield "response.refusal.done", {**self._at(), "refusal": text}
        else:
            yield "response.output_text.done", {**self._at(), "text": text, "logprobs": self._logprobs}
        yield "response.content_part.done", {**self._at(), "part": part}
        self._parts.append(part)
        self._kind, self._texts, self._annotations, self._logprobs = "", [], [], []

    def _part(self) -> Json:
        text = "".join(self._texts)
        if self._kind == "refusal":
            return {"type": "refusal", "refusal": text}
        return text_part(text, self._annotations, self._logprobs)

    def _at(self) -> Json:
        return {"item_id": self._id, "output_index": self.place, "content_index": len(self._parts)}


class Calling:
    """A call of a function, whose arguments grow, or of a custom tool, whose input does."""

    def __init__(self, item_id: str, place: int, first: ToolDelta) -> None:
        self.place = place
        self._id = item_id
        self._custom = first.custom is not None
        self._name = (first.custom and first.custom.name) or (first.function and first.function.name) or ""
        self._call_id = first.id or item_id
        self._texts: list[str] = []

    def item(self, status: str = "completed") -> Json:
        """Return the whole item."""
        kind, member = ("custom_tool_call", "input") if self._custom else ("function_call", "arguments")
        shown = {"id": self._id, "type": kind, "status": status, "call_id": self._call_id, "name": self._name}
        return {**shown, member: "".join(self._texts)}

    def begin(self) -> Iterator[Told]:
        """Tell that the item is there."""
        yield "response.output_item.added", {"output_index": self.place, "item": self.item("in_progress")}

    def more(self, text: str) -> Iterator[Told]:
        """Tell more of the arguments or the input."""
        self._texts.append(text)
        kind = "custom_tool_call_input" if self._custom else "function_call_arguments"
        yield f"response.{kind}.delta", {"item_id": self._id, "output_index": self.place, "delta": text}

    def finish(self) -> Iterator[Told]:
        """Tell that it is done."""
        at, text = {"item_id": self._id, "output_index": self.place}, "".join(self._texts)
        if self._custom:
            yield "response.custom_tool_call_input.done", {**at, "input": text}
        else:
            yield "response.function_call_arguments.done", {**at, "name": self._name, "arguments": text}
        yield "response.output_item.done", {"output_index": self.place, "item": self.item()}
