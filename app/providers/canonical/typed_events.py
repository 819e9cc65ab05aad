"""
Decodes streams of typed events (Anthropic, Responses API): what both decoders share.

Each event keeps its own frame as `native`, so that a client of the same dialect receives it unchanged.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from app.core.errors import BAD_UPSTREAM_REPLY, GatewayError
from app.core.model import Chunk, Native, Request, StreamEvent, Weight
from app.providers.canonical.chunks import Chunks
from app.providers.canonical.decoding import UNREADABLE, Translating, require_text
from app.providers.canonical.stamps import Mint
from app.providers.sse import SseFrame, SseFrames, kind_of, named_frame

_NOTHING: Final = Chunk()


class Typed(Protocol):
    """An event."""

    @property
    def type(self) -> str:
        """Return the name of its type."""
        ...


E = TypeVar("E", bound=Typed)


class Events(msgspec.Struct, Generic[E], frozen=True):
    """
    The events of a dialect: their type to decode, and the names of those that are `understood`.

    Of any other, only the type is read. `whose` names the owner in error messages ("Anthropic's"); `first` is the
    event that a stream begins with.
    """

    dialect: str
    kind: type[E]
    understood: AbstractSet[str]
    whose: str
    first: str


class NativeDecoder(Translating[SseFrame], Generic[E]):
    """Reads one answer; see `Translating`."""

    def __init__(self, events: Events[E], request: Request, mint: Mint) -> None:
        super().__init__(SseFrames(), request, mint)
        self._known = events
        self._decode = msgspec.json.Decoder(events.kind).decode
        self._no_frame = Native(events.dialect, b"")

    @abstractmethod
    def _meaning(self, event: E, data: bytes) -> Iterable[StreamEvent]:
        """Return the chunks that an event translates to; unknown events translate to none."""

    @property
    def _writing(self) -> Chunks:
        if self._chunks is None:
            message = f"The provider's stream did not begin with {self._known.first!r}."
            raise GatewayError(BAD_UPSTREAM_REPLY, message)
        return self._chunks

    def _frame(self, frame: SseFrame) -> Iterator[StreamEvent]:
        if not frame.data:  # some proxies send empty ones to keep a connection alive
            return
        event = self._read(frame.data)
        native = Native(self._known.dialect, named_frame(frame, event.type))
        for meant in self._meaning(event, frame.data):
            yield msgspec.structs.replace(meant, native=native)
            native = self._no_frame
        if native is not self._no_frame:
            yield StreamEvent(b"", _NOTHING, Weight.NOTHING, native=native)

    def _read(self, data: bytes) -> E:
        try:
            require_text(data)
            return self._decode(data)
        except UNREADABLE as error:
            kind = kind_of(data) if isinstance(error, msgspec.ValidationError) else None
            if kind is None or kind in self._known.understood:
                message = f"The provider sent an event that is none of {self._known.whose}."
                raise GatewayError(BAD_UPSTREAM_REPLY, message) from error
        unknown: Any = self._known.kind
        return unknown(kind)  # type: ignore[no-any-return]  # only its type is known
