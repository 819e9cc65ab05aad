"""
What every codec does with a provider's bytes before it knows what they mean: read them, and take streams apart.

`Framed` decodes streams that come in frames, `Translating` those that become canonical chunks; a codec adds what a
frame means.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from app.core.errors import BAD_UPSTREAM_REPLY, TARGET_UNAVAILABLE, GatewayError
from app.core.model import Request, StreamEvent
from app.providers.canonical.chunks import Chunks
from app.providers.canonical.stamps import Mint

T = TypeVar("T")
F = TypeVar("F")
F_co = TypeVar("F_co", covariant=True)
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def heard(data: bytes, kind: type[T], whose: str) -> T:
    """Return an answer, or an event of one, as a `kind`; `whose` says what it should have been, as in "Gemini's"."""
    try:
        require_text(data)
        return msgspec.json.decode(data, type=kind)
    except UNREADABLE as error:
        raise GatewayError(BAD_UPSTREAM_REPLY, f"The provider's answer is none of {whose}.") from error


def heard_or(otherwise: T, data: bytes | msgspec.Raw) -> T:
    """Return what a provider says of its failure as what `otherwise` is, which it is where nothing can be read."""
    try:
        return msgspec.json.decode(data, type=type(otherwise))
    except UNREADABLE:
        return otherwise


def require_text(data: bytes) -> None:
    """Raise `UnicodeDecodeError` unless all is UTF-8: msgspec skips the strings it does not read, clients will not."""
    if not data.isascii():
        data.decode()


def broken_off() -> GatewayError:
    """Return the failure of a stream that has no proper end."""
    return GatewayError(TARGET_UNAVAILABLE, "The provider's stream ended before the answer was complete.")


class CutShortError(GatewayError):
    """A failure behind `events`, in the same bytes: what came before it is not lost, however the network cut them."""

    def __init__(self, error: GatewayError, events: list[StreamEvent]) -> None:
        super().__init__(
            error.kind,
            error.message,
            param=error.param,
            retry_after_s=error.retry_after_s,
            suggestion=error.suggestion,
        )
        self.events = events


class Frames(Protocol[F_co]):
    """Takes bytes however they were cut, and gives complete frames."""

    def feed(self, data: bytes) -> Sequence[F_co]:
        """Return the frames that the next bytes complete."""
        ...

    def flush(self) -> Sequence[F_co]:
        """Return the last frame if its end is all that is missing."""
        ...


class Framed(ABC, Generic[F]):
    """A `Decoder` of frames. What comes after the answer is `done` is not looked at."""

    def __init__(self, frames: Frames[F]) -> None:
        self._frames = frames
        self.done = False

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Take bytes as they arrive; see the port."""
        return self._events(self._frames.feed(data))

    def end(self) -> list[StreamEvent]:
        """Take note of the end; see the port."""
        events = self._events(self._frames.flush())
        if not self.done:
            raise CutShortError(broken_off(), events)
        return events

    def _events(self, frames: Sequence[F]) -> list[StreamEvent]:
        events: list[StreamEvent] = []
        try:
            for frame in frames:
                if self.done:
                    break
                events += self._frame(frame)
        except GatewayError as error:
            raise CutShortError(error, events) from error
        return events

    @abstractmethod
    def _frame(self, frame: F) -> Iterable[StreamEvent]:
        """Return what a frame means, and set `done` with the last one."""


class Translating(Framed[F]):
    """Reads one answer to `request`."""

    def __init__(self, frames: Frames[F], request: Request, mint: Mint) -> None:
        super().__init__(frames)
        self._request = request
        self._mint = mint
        self._chunks: Chunks | None = None

    @property
    def _writing(self) -> Chunks:
        return self._chunks or self._begin()

    def _begin(self, answer_id: str = "", model: str = "") -> Chunks:
        """Begin the answer, under the names that its provider gave it if it did."""
        stamp = self._mint.stamp(model or self._request.model, answer_id)
        self._chunks = Chunks(stamp, include_usage=self._request.asks_for_usage)
        return self._chunks
