"""
The codec for OpenAI's chat completions and every server that speaks them.

This is the dialect of the canonical model: at most the model's name is replaced in a request, and answers and events
are decoded for the observers but forwarded unchanged.
"""

from __future__ import annotations

import msgspec

from app.core.call import Target
from app.core.errors import BAD_UPSTREAM_REPLY, GatewayError
from app.core.model import Chunk, Completion, PlainRequest, Request
from app.core.ports import Decoder, Encoded
from app.core.usage import Usage
from app.providers.canonical.decoding import UNREADABLE, require_text
from app.providers.openai.errors import error_in_answer, error_of_status
from app.providers.openai.events import NO_ERROR, ChunkDecoder, loosely
from app.providers.openai.plain import decode_plain, encode_plain, plain_decoder
from app.providers.openai.quirks import NO_QUIRKS, Quirks
from app.providers.openai.translated import plain_chat
from app.providers.splice import replace_model


class _Choice(msgspec.Struct, frozen=True):
    finish_reason: str | None = None


class _Body(msgspec.Struct, frozen=True):
    choices: list[_Choice] | None = None
    usage: Usage | None = None
    error: msgspec.Raw = msgspec.Raw()


class OpenAiCodec:
    """Speaks `POST {base_url}/chat/completions`."""

    def __init__(self, quirks: Quirks = NO_QUIRKS) -> None:
        self._quirks = quirks
        self._body = msgspec.json.Decoder(_Body)
        self._chunk = msgspec.json.Decoder(Chunk)

    def encode(self, request: Request, target: Target) -> Encoded:
        """Return the client's own body, with the provider's name of the model."""
        if isinstance(request, PlainRequest):
            return encode_plain(request, target)
        lost: tuple[str, ...] = ()
        if request.translated:
            body, lost = plain_chat(request, target.model, self._quirks.takes)
        else:
            body = request.raw if request.model == target.model else replace_model(request.raw, target.model)
        if self._quirks is NO_QUIRKS:
            return Encoded("/chat/completions", body, dropped=lost)
        body, dropped = self._quirks.applied(body)
        return Encoded("/chat/completions", body, dropped=(*lost, *dropped))

    def decode(self, body: bytes, request: Request) -> Completion:
        """Return the whole answer."""
        if isinstance(request, PlainRequest):
            return decode_plain(body, request)
        try:
            require_text(body)
            answer = self._decode(body)
        except UNREADABLE as error:
            raise GatewayError(BAD_UPSTREAM_REPLY, "The provider's answer is not a chat completion.") from error
        if answer.error and bytes(answer.error) not in NO_ERROR:
            raise error_in_answer(bytes(answer.error))
        if not answer.choices:
            raise GatewayError(BAD_UPSTREAM_REPLY, "The provider's answer holds no choices.")
        reasons = [choice.finish_reason for choice in answer.choices if choice.finish_reason]
        return Completion(body, answer.usage, tuple(reasons))

    def _decode(self, body: bytes) -> _Body:
        try:
            return self._body.decode(body)
        except msgspec.ValidationError:
            fields = loosely(body)  # an unreadable usage must not fail the answer
            return _Body(
                choices=msgspec.convert(fields["choices"], list[_Choice]),
                error=msgspec.Raw(msgspec.json.encode(fields["error"])),
            )

    def decoder(self, request: Request) -> Decoder:
        """Return a new decoder for one streamed answer."""
        if isinstance(request, PlainRequest):
            return plain_decoder(request)
        return ChunkDecoder(self._chunk.decode)

    error = staticmethod(error_of_status)
