"""The codec for Anthropic: paths and headers; the other modules of this package translate the bodies."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from app.core.call import Target
from app.core.dialects.absent import is_given
from app.core.dialects.anthropic import ANTHROPIC, Message
from app.core.errors import BAD_UPSTREAM_REPLY, GatewayError
from app.core.model import ChatRequest, Completion, Native, Operation, Request
from app.core.ports import Decoder, Encoded
from app.core.usage import Usage
from app.providers.anthropic.errors import error_in_answer, error_of_status
from app.providers.anthropic.messages import NAME
from app.providers.anthropic.request import UPLOADS_BETA, encode_chat
from app.providers.anthropic.response import decode_chat
from app.providers.anthropic.stream import AnthropicDecoder
from app.providers.anthropic.traits import traits_of
from app.providers.canonical.chat_request import read_whole
from app.providers.canonical.decoding import heard
from app.providers.canonical.stamps import Mint
from app.providers.canonical.unsupported import unsupported
from app.providers.foreign_reasoning import own_messages
from app.providers.splice import replace_model

# The newest version with every parameter of older models; later ones refuse `temperature` and similar parameters.
VERSION = "2023-06-01"
_PATH = "/v1/messages"
_TRAITS_KEPT = 256


class AnthropicCodec:
    """
    Speaks `POST {base_url}/v1/messages`.

    The API requires `max_tokens`: of the request, else the argument `max_tokens`, else the limit of the model.
    """

    def __init__(self, mint: Mint, max_tokens: int | None = None) -> None:
        self._mint = mint
        self._max_tokens = max_tokens
        self._traits = lru_cache(_TRAITS_KEPT)(traits_of)

    def encode(self, request: Request, target: Target) -> Encoded:
        """Return the request in Anthropic's dialect; see the port."""
        if not isinstance(request, ChatRequest):
            if request.operation is not Operation.COUNT_TOKENS:
                raise unsupported(request.operation.value, NAME)
            body = _spliced(request.raw, request.model, target)
            return Encoded(f"{_PATH}/count_tokens", body, _version(()))
        origin = request.origin
        if origin is not None and origin.dialect == ANTHROPIC:
            return Encoded(_PATH, _spliced(origin.raw, request.model, target), _version(origin.headers))
        traits = self._traits(target.model)
        written = encode_chat(read_whole(request), target.model, traits, self._max_tokens)
        beta = (("anthropic-beta", UPLOADS_BETA),) if written.uploads else ()
        return Encoded(_PATH, written.body, (*_version(()), *beta), written.lost)

    def decode(self, body: bytes, request: Request) -> Completion:
        """Return the whole answer; see the port."""
        if not isinstance(request, ChatRequest):
            return Completion(body, Usage())
        message = heard(body, Message, "Anthropic's")
        if is_given(message.error):
            raise error_in_answer(bytes(message.error))
        if message.type != "message":
            raise GatewayError(BAD_UPSTREAM_REPLY, "The provider's answer is no message.")
        answer = decode_chat(message, self._mint.stamp(message.model or request.model, message.id))
        return msgspec.structs.replace(answer, native=Native(ANTHROPIC, body))

    def decoder(self, request: Request) -> Decoder:
        """Return a new decoder for one streamed answer."""
        return AnthropicDecoder(request, self._mint)

    error = staticmethod(error_of_status)


def _spliced(raw: bytes, model: str, target: Target) -> bytes:
    own = own_messages(raw)
    return own if model == target.model else replace_model(own, target.model)


def _version(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return `headers` with the API version, unless they have one."""
    if any(name == "anthropic-version" for name, _ in headers):
        return headers
    return (("anthropic-version", VERSION), *headers)
