"""Streams of OpenAI's events: decoded for the observers, forwarded as they came."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from app.core.errors import BAD_UPSTREAM_REPLY, TARGET_UNAVAILABLE, GatewayError
from app.core.model import Chunk, StreamEvent, Weight
from app.core.stream import weight_of
from app.providers.canonical.decoding import UNREADABLE, Framed
from app.providers.openai.errors import error_in_answer
from app.providers.sse import SseFrame, SseFrames

_DONE = b"[DONE]"
_DONE_EVENT = StreamEvent(b"data: [DONE]\n\n", None, Weight.ANSWER, done=True)
NO_ERROR = (b"", b"null", b"{}", b'""')  # an empty one is none, as the SDKs see it


class ChunkDecoder(Framed[SseFrame]):
    """
    An answer is complete when a choice gave its finish reason and then `[DONE]` came.

    Args:
        read: Reads the payload of one event; raises `msgspec.ValidationError` for one of an unknown form.
    """

    __slots__ = ("_finished", "_frames", "_read", "done")

    def __init__(self, read: Callable[[bytes], Chunk]) -> None:
        super().__init__(SseFrames())
        self._read = read
        self._finished = False

    def _frame(self, frame: SseFrame) -> tuple[StreamEvent, ...]:
        data = frame.data
        if not data:  # some proxies send empty ones to keep a connection alive, and some SDKs fail on them
            return ()
        if data.startswith(_DONE) and data.rstrip() == _DONE:
            if not self._finished:
                raise GatewayError(TARGET_UNAVAILABLE, "The provider ended its stream without a finish reason.")
            self.done = True
            return (_DONE_EVENT,)
        try:
            if not data.isascii():
                data.decode()  # as `require_text` does, of which this is the hottest place
            chunk = self._read(data)
        except msgspec.ValidationError:
            self._note_unfamiliar(data)
            return (StreamEvent(_forwardable(frame), None, Weight.ANSWER),)
        except UNREADABLE as error:
            raise _undecodable() from error
        if chunk.error and bytes(chunk.error) not in NO_ERROR:
            raise error_in_answer(bytes(chunk.error))
        return (StreamEvent(_forwardable(frame), chunk, self._weigh(chunk)),)

    def _note_unfamiliar(self, data: bytes) -> None:
        """Look for an error or a finish reason in an event whose other fields have types that we do not know."""
        try:
            event = loosely(data)
        except (msgspec.DecodeError, RecursionError) as error:
            raise _undecodable() from error
        if event["error"]:
            raise error_in_answer(msgspec.json.encode(event["error"]))
        choices = event["choices"]
        self._finished |= isinstance(choices, list) and any(
            isinstance(choice, dict) and choice.get("finish_reason") for choice in choices
        )

    def _weigh(self, chunk: Chunk) -> Weight:
        weight = Weight.NOTHING
        for choice in chunk.choices:
            if choice.finish_reason:
                self._finished = True
                return Weight.ANSWER
            if choice.delta.content:  # as nearly always
                weight = Weight.ANSWER
            elif weight is not Weight.ANSWER:
                weight = max(weight, weight_of(choice.delta))
        return weight


def loosely(data: bytes) -> dict[str, object]:
    """Return the members of an object that say whether and how an answer ends, whatever their types."""
    found = msgspec.json.decode(data)
    members = found if isinstance(found, dict) else {}
    return {"choices": members.get("choices"), "error": members.get("error")}


def _undecodable() -> GatewayError:
    return GatewayError(BAD_UPSTREAM_REPLY, "The provider sent an event that is not JSON in UTF-8.")


def _forwardable(frame: SseFrame) -> bytes:
    """Return the original frame, or one that clients stand if it has more than data (`id:`, `event:`, `retry:`)."""
    return frame.raw if frame.plain else b"data: %b\n\n" % frame.data.replace(b"\n", b" ")
