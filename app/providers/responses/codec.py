"""The codec for the Responses API: which address serves what, and which module translates it."""

from __future__ import annotations

import msgspec

from app.core.call import Target
from app.core.dialects.responses import RESPONSES, Response
from app.core.errors import BAD_UPSTREAM_REPLY, GatewayError
from app.core.model import ChatRequest, Completion, Native, Request
from app.core.ports import Codec, Decoder, Encoded
from app.providers.canonical.chat_request import read_whole
from app.providers.canonical.decoding import heard
from app.providers.canonical.stamps import Mint
from app.providers.foreign_reasoning import own_items
from app.providers.openai.errors import error_of_status
from app.providers.responses.request import encode_chat
from app.providers.responses.response import decode_chat
from app.providers.responses.stream import WHOSE, ResponsesDecoder
from app.providers.splice import replace_model


class ResponsesCodec:
    """Speaks `POST {base_url}{path}`; what is no chat is left to the codec for `others`."""

    def __init__(self, mint: Mint, others: Codec, path: str = "/responses") -> None:
        self._mint = mint
        self._others = others
        self._path = path

    def encode(self, request: Request, target: Target) -> Encoded:
        """Return what the provider is sent; see the port."""
        if not isinstance(request, ChatRequest):
            return self._others.encode(request, target)
        origin = request.origin
        if origin is not None and origin.dialect == RESPONSES:
            own = own_items(origin.raw)
            return Encoded(self._path, own if request.model == target.model else replace_model(own, target.model))
        body, lost = encode_chat(read_whole(request), target.model)
        return Encoded(self._path, body, dropped=lost)

    def decode(self, body: bytes, request: Request) -> Completion:
        """Return the whole answer; see the port."""
        if not isinstance(request, ChatRequest):
            return self._others.decode(body, request)
        response = heard(body, Response, WHOSE)
        if response.object != "response":
            raise GatewayError(BAD_UPSTREAM_REPLY, "The provider's answer is no response.")
        answer = decode_chat(response, self._mint.stamp(response.model or request.model, response.id))
        return msgspec.structs.replace(answer, native=Native(RESPONSES, body))

    def decoder(self, request: Request) -> Decoder:
        """Return a fresh decoder for one streamed answer."""
        if not isinstance(request, ChatRequest):
            return self._others.decoder(request)
        return ResponsesDecoder(request, self._mint)

    error = staticmethod(error_of_status)
