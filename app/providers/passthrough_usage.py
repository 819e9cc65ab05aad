"""
Reads the usage of passed-on answers, if it has OpenAI's or Anthropic's form.

The answer is scanned while it passes, within bounds, and is never changed.
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
    """Collects the usage of one answer; later values replace earlier ones."""

    def __init__(self) -> None:
        self._messages = MessageUsage()

    def read(self, data: bytes) -> Usage | None:
        """Return the usage in a JSON document, or in the data of an event."""
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
    """Passes bytes on, and collects the usage. Complete when the body is, which HTTP determines."""

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
        """Handle the end; see the port. An answer may be empty."""
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
    """Server-sent events: reads those with a usage."""

    def __init__(self, blotter: Blotter) -> None:
        super().__init__(blotter)
        self._frames: SseFrames | None = SseFrames(LOOKED_MAX_BYTES)
        self._counted = Counted()

    def _look(self, data: bytes) -> Usage | None:
        if self._frames is None:
            return None
        try:
            frames = self._frames.feed(data)
        except GatewayError:  # an event too large to scan
            self._frames = None
            return None
        told = [usage for frame in frames if (usage := self._counted.read(frame.data)) is not None]
        return told[-1] if told else None


class DocumentDecoder(PassDecoder):
    """A JSON document: keeps a copy, up to a bound, and reads it at the end."""

    def __init__(self, blotter: Blotter) -> None:
        super().__init__(blotter)
        self._kept = bytearray()

    def _look(self, data: bytes) -> Usage | None:
        if len(self._kept) <= LOOKED_MAX_BYTES:
            self._kept += data
        return None

    def _close(self) -> Usage | None:
        return Counted().read(bytes(self._kept)) if len(self._kept) <= LOOKED_MAX_BYTES else None
