"""
An answer as the client sees it: the provider's own bytes, and for `/v1/generate` the gateway's metadata with them.

Bytes are forwarded, not encoded again: the client's dialect is the provider's, so fields that the gateway has never
heard of survive.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from app.core.call import Call
from app.core.clock import Clock
from app.core.model import Completion, Usage
from app.core.stream import Batch


class Style(Protocol):
    """How one endpoint writes one answer. Fresh for each call."""

    def whole(self, completion: Completion) -> bytes:
        """Return the body of a whole answer."""
        ...

    def part(self, batch: Batch) -> bytes:
        """Return the bytes of some events."""
        ...


class Verbatim:
    """What the provider sent, byte for byte."""

    def whole(self, completion: Completion) -> bytes:
        """Return the provider's body."""
        return completion.raw

    def part(self, batch: Batch) -> bytes:
        """Return the provider's frames."""
        return b"".join([event.frame for event in batch])


class WithMetadata:
    """
    The provider's bytes plus a `wizard` object.

    In a whole answer it is one more member, in a stream one more chunk (of the usual form, without choices) right
    before `[DONE]`.
    """

    def __init__(self, call: Call, clock: Clock) -> None:
        self._call = call
        self._clock = clock
        self._first_part: float | None = None
        self._usage: Usage | None = None

    def whole(self, completion: Completion) -> bytes:
        """Return the provider's body with the metadata as its last member."""
        body = completion.raw.rstrip()
        return b'%b,"wizard":%b}' % (body[:-1].rstrip(), msgspec.json.encode(self._metadata()))

    def part(self, batch: Batch) -> bytes:
        """Return the provider's frames, and the metadata before the last one."""
        if self._first_part is None:
            self._first_part = self._clock.now()
        frames: list[bytes] = []
        for event in batch:
            if event.chunk is not None and event.chunk.usage is not None:
                self._usage = event.chunk.usage
            if event.done:
                frames.append(b"data: %b\n\n" % msgspec.json.encode(self._closing_chunk()))
            frames.append(event.frame)
        return b"".join(frames)

    def _closing_chunk(self) -> dict[str, object]:
        model = self._call.journal.target.model if self._call.journal.target else self._call.request.model
        created = int(self._clock.wall())
        head = {"id": self._call.id, "object": "chat.completion.chunk", "created": created, "model": model}
        return {**head, "choices": [], "wizard": self._metadata()}

    def _metadata(self) -> dict[str, object]:
        call, journal, now = self._call, self._call.journal, self._clock.now()
        found: dict[str, object] = {
            "request_id": call.id,
            "provider": journal.target.provider if journal.target else None,
            "model": journal.target.model if journal.target else None,
            "attempts": journal.attempts,
            "fallback": journal.position,
            "duration_ms": _ms(now - call.started),
        }
        if journal.hedge is not None:
            found["hedge"] = journal.hedge
        if self._first_part is None:
            found["overhead_ms"] = _ms(call.overhead_s(now))
            return found
        found["time_to_first_token_ms"] = _ms(self._first_part - call.started)
        found["overhead_ms"] = _ms(call.overhead_s(self._first_part))
        lasted = now - self._first_part
        if self._usage is not None and lasted > 0:
            found["tokens_per_s"] = round(self._usage.completion_tokens / lasted, 1)
        return found


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
