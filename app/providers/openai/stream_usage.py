"""
Sets `stream_options.include_usage` in streamed requests, without which providers do not report usage.

The gateway could not account for streams otherwise. The usage event is hidden from clients that did not request it;
the rest of request and answer is unchanged.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import msgspec

from app.core.call import Attempt, Reply, Target
from app.core.errors import INVALID_REQUEST, UNPROCESSABLE, GatewayError
from app.core.json_text import OBJECT
from app.core.model import Request, StreamEvent
from app.core.pipeline import Handler
from app.core.ports import Codec, Decoder, Encoded
from app.providers.canonical.decoding import CutShortError

_FIELD: Final = "stream_options"
_KEY: Final = b'"stream_options"'
_ASKING: Final = b',"stream_options":{"include_usage":true}}'


class StreamUsage:
    """
    Whether to request usage from one provider: until it refuses the field, which older servers do not know.

    Belongs to one configuration; a reload resets it.
    """

    def __init__(self, *, asking: bool) -> None:
        self._asking = asking

    def is_for(self, request: Request) -> bool:
        """Return whether the option must be added to `request`."""
        return request.stream and self._asking and not request.asks_for_usage

    def refused(self, request: Request, error: GatewayError) -> bool:
        """Return whether `request` failed only because of the added option; if so, stop adding it."""
        about_field = error.param == _FIELD or _FIELD in error.message
        if error.kind not in {INVALID_REQUEST, UNPROCESSABLE} or not about_field or not self.is_for(request):
            return False
        self._asking = False
        return True


class AskingCodec:
    """A codec of OpenAI's form that requests usage for every stream and hides it from the client."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self.decode, self.error = codec.decode, codec.error

    def encode(self, request: Request, target: Target) -> Encoded:
        """Return the request as encoded by the codec, with usage requested."""
        encoded = self._codec.encode(request, target)
        return msgspec.structs.replace(encoded, body=made_to_ask(encoded.body))

    def decoder(self, request: Request) -> Decoder:
        """Return the codec's decoder, wrapped to hide the usage."""
        return _Hiding(self._codec.decoder(request))


class UsageEndpoint:
    """The endpoint of one provider that requests usage for streams; other requests are sent unchanged."""

    def __init__(self, usage: StreamUsage, asking: Handler[Attempt], plain: Handler[Attempt]) -> None:
        self._usage = usage
        self._asking = asking
        self._plain = plain

    def __call__(self, attempt: Attempt) -> Awaitable[Reply]:
        """Send the attempt and return the answer; see `providers.endpoint`."""
        return self._ask(attempt) if self._usage.is_for(attempt.call.request) else self._plain(attempt)

    async def _ask(self, attempt: Attempt) -> Reply:
        try:
            return await self._asking(attempt)
        except GatewayError as error:
            if not self._usage.refused(attempt.call.request, error):
                raise
        return await self._plain(attempt)


class _Hiding:
    """Empties the frames of events that carry only usage; observers still see them."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder

    @property
    def done(self) -> bool:
        return self._decoder.done

    def feed(self, data: bytes) -> list[StreamEvent]:
        return _hidden(partial(self._decoder.feed, data))

    def end(self) -> list[StreamEvent]:
        return _hidden(self._decoder.end)


def made_to_ask(body: bytes) -> bytes:
    """Return a body that asks for usage; its other bytes are not touched unless it speaks of stream options itself."""
    if _KEY not in body:
        return body.rstrip()[:-1] + _ASKING
    members = OBJECT.decode(body)
    options = msgspec.json.decode(members.get(_FIELD, b"null"))
    asking = {**(options if isinstance(options, dict) else {}), "include_usage": True}
    return msgspec.json.encode({**members, _FIELD: asking})


def _hidden(reading: Callable[[], list[StreamEvent]]) -> list[StreamEvent]:
    try:
        return _emptied(reading())
    except CutShortError as error:
        _emptied(error.events)
        raise


def _emptied(events: list[StreamEvent]) -> list[StreamEvent]:
    for position, event in enumerate(events):
        chunk = event.chunk
        if chunk is not None and chunk.usage is not None and not chunk.choices:
            events[position] = msgspec.structs.replace(event, frame=b"")
    return events
