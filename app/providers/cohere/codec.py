"""The codec for Cohere: which address serves what, and which module translates it."""

from __future__ import annotations

from app.core.call import Target
from app.core.model import ChatRequest, Completion, Operation, Request
from app.core.ports import Decoder, Encoded
from app.providers.canonical.chat_request import read_whole
from app.providers.canonical.stamps import Mint
from app.providers.canonical.unsupported import unsupported
from app.providers.cohere.embed import decode_embeddings, decode_rerank, encode_embeddings, encode_rerank
from app.providers.cohere.errors import error_of_status
from app.providers.cohere.request import NAME, encode_chat
from app.providers.cohere.response import decode_chat
from app.providers.cohere.stream import CohereDecoder


class CohereCodec:
    """Speaks `POST {base_url}/v2/chat`, `/v2/embed` and `/v2/rerank`."""

    def __init__(self, mint: Mint) -> None:
        self._mint = mint

    def encode(self, request: Request, target: Target) -> Encoded:
        """Return what the provider is sent; see the port."""
        if isinstance(request, ChatRequest):
            body, lost = encode_chat(read_whole(request), target.model)
            return Encoded("/v2/chat", body, dropped=lost)
        if request.operation is Operation.EMBEDDINGS:
            return Encoded("/v2/embed", encode_embeddings(request, target.model))
        if request.operation is Operation.RERANK:
            return Encoded("/v2/rerank", encode_rerank(request, target.model))
        raise unsupported(request.operation.value, NAME)

    def decode(self, body: bytes, request: Request) -> Completion:
        """Return the whole answer; see the port."""
        if isinstance(request, ChatRequest):
            return decode_chat(body, request.model, self._mint)
        if request.operation is Operation.RERANK:
            return decode_rerank(body, request, self._mint)
        return decode_embeddings(body, request)

    def decoder(self, request: Request) -> Decoder:
        """Return a fresh decoder for one streamed answer."""
        return CohereDecoder(request, self._mint)

    error = staticmethod(error_of_status)
