"""
What an answer that is passed on as it is has taken, where it says so in OpenAI's or Anthropic's form.

It is looked through beside the passing, within bounds, and nothing that is found or not found changes the answer.
"""

from __future__ import annotations

from typing import Final

import msgspec

from app.core.dialects.anthropic import MessageUsage
from app.core.errors import GatewayError
from app.core.model import Chunk, StreamEvent, Weight
from app.core.usage import Usage
from app.providers.anthropic.response import merged
from app.providers.anthropic.response import usage_of as anthropic_usage
from app.providers.canonical.decoding import UNREADABLE
from app.providers.openai.plain import usage_of
from app.providers.own_secrets import Blotter
from app.providers.sse import SseFrames

LOOKED_MAX_BYTES: Final = 1_048_576
_MARK: Final = b'"usage"'


class _Inner(msgspec.Struct, frozen=True):
    usage: msgspec.Raw = msgspec.Raw()


class _Told(msgspec.Struct, frozen=True):
    type: str = ""
    usage: msgspec.Raw = msgspec.Raw()
    message: _Inner | msgspec.UnsetType | str | None = msgspec.UNSET
    response: _Inner | None = None


class Counted:
    """Puts together what one answer says of its usage; the later word counts."""

    def __init__(self) -> None:
        self._messages = MessageUsage()

    def read(self, data: bytes) -> Usage | None:
        """Return the usage that a JSON document, or the data of an event, tells."""
        if _MARK not in data:
            return None
        try:
            told = msgspec.json.decode(data, type=_Told)
            if told.type in {"message", "message_start", "message_delta"}:
                return self._of_messages(told)
        except UNREADABLE:
            return None
        inner = told.response.usage if told.response is not None else told.usage
        return usage_of(inner)

    def _of_messages(self, told: _Told) -> Usage:
        raw = told.message.usage if isinstance(told.message, _Inner) else told.usage
        self._messages = merged(self._messages, msgspec.json.decode(raw, type=MessageUsage))
        return anthropic_usage(self._messages)


class PassDecoder:
    """Bytes as they come, and the usage beside them. Complete when the body is, whose end HTTP watches over."""

    def __init__(self, blotter: Blotter) -> None:
        self.done = False
        self._blotter = blotter
        self._empty = True

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Take bytes as they arrive; see the port."""
        self._empty = False
        usage = self._look(data)
        shown = self._blotter.feed(data)
        if usage is None and not shown:
            return []
        return [StreamEvent(shown, None if usage is None else Chunk([], usage), Weight.ANSWER)]

    def end(self) -> list[StreamEvent]:
        """Take note of the end; see the port. An answer may well be empty."""
        self.done = True
        usage, rest = self._close(), self._blotter.end()
        if usage is None and not rest and not self._empty:
            return []
        return [StreamEvent(rest, None if usage is None else Chunk([], usage), Weight.ANSWER)]

    def _look(self, data: bytes) -> Usage | None:  # noqa: ARG002 - for those that look
        return None

    def _close(self) -> Usage | None:
        return None


class EventsDecoder(PassDecoder):
    """Server-sent events: each that tells a usage is read."""

    def __init__(self, blotter: Blotter) -> None:
        super().__init__(blotter)
        self._frames: SseFrames | None = SseFrames(LOOKED_MAX_BYTES)
        self._counted = Counted()

    def _look(self, data: bytes) -> Usage | None:
        if self._frames is None:
            return None
        try:
            frames = self._frames.feed(data)
        except GatewayError:  # an event too large to look at
            self._frames = None
            return None
        told = [usage for frame in frames if (usage := self._counted.read(frame.data)) is not None]
        return told[-1] if told else None


class DocumentDecoder(PassDecoder):
    """A JSON document: a copy is kept, up to a bound, and read at the end."""

    def __init__(self, blotter: Blotter) -> None:
        super().__init__(blotter)
        self._kept = bytearray()

    def _look(self, data: bytes) -> Usage | None:
        if len(self._kept) <= LOOKED_MAX_BYTES:
            self._kept += data
        return None

    def _close(self) -> Usage | None:
        return Counted().read(bytes(self._kept)) if len(self._kept) <= LOOKED_MAX_BYTES else None
