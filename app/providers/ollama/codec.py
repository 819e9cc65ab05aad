"""The codec for Ollama: which address serves what, and which module translates it."""

from __future__ import annotations

from app.core.call import Target
from app.core.model import ChatRequest, Completion, Operation, Request
from app.core.ports import Decoder, Encoded
from app.providers.canonical.chat_request import read_whole
from app.providers.canonical.stamps import Mint
from app.providers.canonical.unsupported import unsupported
from app.providers.ollama.embed import decode_embeddings, encode_embeddings
from app.providers.ollama.errors import error_of_status
from app.providers.ollama.request import NAME, encode_chat
from app.providers.ollama.response import decode_chat
from app.providers.ollama.stream import OllamaDecoder


class OllamaCodec:
    """Speaks `POST {base_url}/api/chat` and `/api/embed`."""

    def __init__(self, mint: Mint) -> None:
        self._mint = mint

    def encode(self, request: Request, target: Target) -> Encoded:
        """Return what the provider is sent; see the port."""
        if isinstance(request, ChatRequest):
            body, lost = encode_chat(read_whole(request), target.model)
            return Encoded("/api/chat", body, dropped=lost)
        if request.operation is Operation.EMBEDDINGS:
            return Encoded("/api/embed", encode_embeddings(request, target.model))
        raise unsupported(request.operation.value, NAME)

    def decode(self, body: bytes, request: Request) -> Completion:
        """Return the whole answer; see the port."""
        if isinstance(request, ChatRequest):
            return decode_chat(body, request.model, self._mint)
        return decode_embeddings(body, request)

    def decoder(self, request: Request) -> Decoder:
        """Return a fresh decoder for one streamed answer."""
        return OllamaDecoder(request, self._mint)

    error = staticmethod(error_of_status)
