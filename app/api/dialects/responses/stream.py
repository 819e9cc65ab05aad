"""
Translate a stream of canonical chunks to events of the Responses API, in the order that its SDKs rely on.

Every item is announced, extended by deltas, and repeated whole when done; the last event has the whole response.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from app.api.dialects.events import EventWriter
from app.api.dialects.responses.answer import Frame, Json, incomplete_of, logprobs_of, status_of, usage_of
from app.api.dialects.responses.growing_items import Calling, Growing, Saying, Thinking, Told
from app.core.dialects.absent import is_given
from app.core.dialects.chat import details_of, text_of
from app.core.dialects.reasoning import RESPONSES_FORMAT, ReasoningDetail, hidden_extra, sealed
from app.core.model import ChunkChoice, ToolDelta

T = TypeVar("T", bound=Growing)


class ResponseEvents(EventWriter):
    """Writes the events of one response; `frame` builds the response objects."""

    def __init__(self, frame: Frame, model: str) -> None:
        super().__init__(model)
        self._frame = frame
        self._number = 0
        self._items: list[Growing] = []
        self._open: Growing | None = None
        self._calls: dict[int, Calling] = {}
        self._unnamed: dict[int, str] = {}

    def failure(self, error: Json) -> bytes:
        """
        Return the event for a response that failed midway.

        SDKs read different parts of it, so it has both the API's flat members and the whole error as an object.
        """
        flat = {name: error.get(name) for name in ("code", "message", "param")}
        self._write([("error", {**flat, "error": error})])
        return self._frames.pop()

    def _write_content(self, choice: ChunkChoice) -> None:
        delta = choice.delta
        thought = delta.reasoning_content or delta.reasoning
        if thought:
            self._write(self._thinking().more(thought))
        if is_given(delta.reasoning_details):
            self._bind(details_of(delta.reasoning_details))
        if is_given(delta.extra_content):
            self._bind(hidden_extra(delta.extra_content))
        text = text_of(delta.content) if delta.content else ""
        if text:
            self._write(self._saying().more("output_text", text, logprobs_of(choice.logprobs)))
        if delta.refusal:
            self._write(self._saying().more("refusal", delta.refusal))
        if is_given(delta.annotations) and isinstance(self._open, Saying):
            self._write(self._open.annotate(delta.annotations))

    def _thinking(self) -> Thinking:
        if isinstance(self._open, Thinking):
            return self._open
        place = len(self._items)
        return self._enter(Thinking(self._frame.item_id("rs", place), place))

    def _saying(self) -> Saying:
        if isinstance(self._open, Saying):
            return self._open
        place = len(self._items)
        return self._enter(Saying(self._frame.item_id("msg", place), place))

    def _bind(self, details: Sequence[ReasoningDetail]) -> None:
        """Complete a reasoning item with its signed or encrypted content; ignore details that have neither."""
        if not any(detail.data or detail.signature for detail in details):
            return
        item = self._thinking()
        own = next((detail for detail in details if detail.format == RESPONSES_FORMAT and detail.data), None)
        item.hidden = sealed(details) if own is None else own.data
        self._leave()

    def _call(self, piece: ToolDelta) -> None:
        name, text = _name_and_text(piece)
        calling = self._calls.get(piece.index)
        if calling is None:
            text = self._unnamed.pop(piece.index, "") + text
            if not name:
                self._unnamed[piece.index] = text
                return
            self._bind(hidden_extra(piece.extra_content, piece.id))
            place = len(self._items)
            prefix = "fc" if piece.custom is None else "ctc"
            calling = self._enter(Calling(self._frame.item_id(prefix, place), place, piece))
            self._calls[piece.index] = calling
        if text:
            self._write(calling.more(text))

    def _begin(self) -> None:
        response = self._frame.response("in_progress", self._model, [])
        self._write([("response.created", {"response": response}), ("response.in_progress", {"response": response})])

    def _end(self) -> None:
        self._leave()
        finish = self._ending.finish_reason
        status, output = status_of(finish), [item.item() for item in self._items]
        more = {"usage": usage_of(self._usage), "incomplete_details": incomplete_of(finish)}
        response = self._frame.response(status, self._model, output, **more)
        self._write([(f"response.{status}", {"response": response})])

    def _enter(self, item: T) -> T:
        self._leave()
        self._items.append(item)
        self._open = item
        self._write(item.begin())
        return item

    def _leave(self) -> None:
        if self._open is not None:
            self._write(self._open.finish())
            self._open = None

    def _write(self, events: Iterable[Told]) -> None:
        for kind, members in events:
            data = self._encode({"type": kind, "sequence_number": self._number, **members})
            self._frames.append(b"event: %b\ndata: %b\n\n" % (kind.encode(), data))
            self._number += 1


def _name_and_text(piece: ToolDelta) -> tuple[str | None, str]:
    if piece.custom is not None:
        return piece.custom.name, piece.custom.input or ""
    if piece.function is not None:
        return piece.function.name, piece.function.arguments or ""
    return None, ""
