"""Base for dialects other than chat completions: translates, unless the provider speaks the same dialect."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, ClassVar, Final

import msgspec

from app.api.dialects.events import EventWriter
from app.core.bodies import decoded
from app.core.call import Call
from app.core.dialects.absent import given_in
from app.core.errors import GatewayError
from app.core.model import ChatFields, ChatRequest, Completion, Native
from app.core.stream import Batch

_FIELDS: Final = msgspec.json.Decoder(ChatFields)


def chat_request(
    given: Mapping[str, object], members: Mapping[str, msgspec.Raw], translated: AbstractSet[str], origin: Native
) -> ChatRequest:
    """
    Return a request with the given canonical members, and the client's own body as its origin.

    Members that have no canonical equivalent keep their own name: a codec that knows them reads them, and any other
    reports them as dropped, or refuses the request if the answer would not be the one that was asked for.

    Args:
        given: The canonical members; None means absent.

        members: The members of the client's body.

        translated: Names of the `members` that `given` already covers.

        origin: The client's body.

    Raises:
        GatewayError: INVALID_REQUEST with `param`, for an untranslated member that is invalid in a chat completion.
    """
    body = given_in(given)
    body.update({name: value for name, value in members.items() if name not in translated and name not in body})
    canonical = msgspec.json.encode(body)
    return ChatRequest(decoded(_FIELDS.decode, canonical), canonical, origin, translated=True)


def simplest(parts: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    """Return a single plain text part as a string, which every server accepts."""
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        text: str = parts[0]["text"]
        return text
    return parts


class TranslatedStyle(ABC):
    """Forwards the answer of a provider of the same dialect byte for byte, and translates all others."""

    dialect: ClassVar[str]
    headers: Sequence[tuple[bytes, bytes]] = ()

    def __init__(self, call: Call) -> None:
        self._call = call
        self._writer: EventWriter | None = None

    def whole(self, completion: Completion) -> bytes:
        """Return the body of a whole answer."""
        native = completion.native
        return self._whole(completion) if native is None or native.dialect != self.dialect else native.raw

    def part(self, batch: Batch) -> bytes:
        """Return the events of an answer."""
        if self._writer is None:
            natives = [event.native for event in batch]
            own = [native.raw for native in natives if native is not None and native.dialect == self.dialect]
            if len(own) == len(natives):
                return b"".join(own)
            self._writer = self._fresh()
        return self._writer.events(batch)

    @abstractmethod
    def failure(self, error: GatewayError) -> bytes:
        """Return the error as an event."""

    @abstractmethod
    def _whole(self, completion: Completion) -> bytes:
        """Translate a whole answer."""

    @abstractmethod
    def _fresh(self) -> EventWriter:
        """Return a writer that translates a streamed answer."""

    @property
    def _key(self) -> str:
        """Return the part that makes the ids of this answer unique."""
        return self._call.id.removeprefix("req_")

    @property
    def _model(self) -> str:
        """Return the model's name as a stream shows it."""
        target = self._call.journal.target
        return self._call.request.model if target is None else target.model
