"""
`POST /v1/chat/completions`: OpenAI's format in and out.

It is the canonical format, so bytes are forwarded without re-encoding, and unknown fields are preserved.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from app.api.dialects.port import Dialect, Style
from app.api.errors import error_frame
from app.api.inbound import Headers
from app.api.request_options import NOTHING_ASKED, RequestOptions
from app.core.bodies import decoded
from app.core.call import Call
from app.core.clock import Clock
from app.core.errors import GatewayError
from app.core.model import ChatFields, ChatRequest, Completion, Request
from app.core.stream import Batch


class ChatDialect(Dialect):
    """OpenAI's chat completions."""

    endpoint = "chat"

    def __init__(self) -> None:
        self._decode = msgspec.json.Decoder(ChatFields).decode

    def read(self, raw: bytes, headers: Headers) -> tuple[Request, RequestOptions]:  # noqa: ARG002 - the port's
        """Decode the body; this format has no gateway options."""
        return ChatRequest(decoded(self._decode, raw), raw), NOTHING_ASKED

    def style(self, call: Call, clock: Clock) -> Style:  # noqa: ARG002 - the port's
        """Return a style that forwards the answer."""
        return Verbatim(call)


class Verbatim:
    """Forwards what the provider sent, byte for byte."""

    __slots__ = ("_call",)
    headers: Sequence[tuple[bytes, bytes]] = ()

    def __init__(self, call: Call) -> None:
        self._call = call

    def whole(self, completion: Completion) -> bytes:
        """Return the provider's body."""
        return completion.raw

    def part(self, batch: Batch) -> bytes:
        """Return the provider's frames."""
        return b"".join([event.frame for event in batch])

    def failure(self, error: GatewayError) -> bytes:
        """Return the error as an event."""
        return error_frame(error, self._call.id, self._call.journal)
