"""The codec for Bedrock: which address serves what, and which module translates it."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from app.core.addresses import path_step
from app.core.call import Target
from app.core.model import ChatRequest, Completion, Operation, Request
from app.core.ports import Decoder, Encoded
from app.providers.anthropic.traits import traits_of
from app.providers.bedrock.embed import decode_embeddings, encode_embeddings
from app.providers.bedrock.errors import error_of_status
from app.providers.bedrock.messages import NAME
from app.providers.bedrock.request import encode_chat
from app.providers.bedrock.response import decode_chat
from app.providers.bedrock.stream import BedrockDecoder
from app.providers.canonical.chat_request import read_whole
from app.providers.canonical.stamps import Mint
from app.providers.canonical.unsupported import unsupported

_MODELS_KEPT: Final = 256  # whose addresses and traits are known without looking; callers may name any


class BedrockCodec:
    """Speaks `POST {base_url}/model/{model}/converse`; the model is an id, an inference profile or an ARN."""

    def __init__(self, mint: Mint) -> None:
        self._mint = mint
        self._step = lru_cache(_MODELS_KEPT)(path_step)
        self._traits = lru_cache(_MODELS_KEPT)(traits_of)

    def encode(self, request: Request, target: Target) -> Encoded:
        """Return what the provider is sent; see the port."""
        place = f"/model/{self._step(target.model)}"
        if isinstance(request, ChatRequest):
            traits = self._traits(target.model) if "anthropic." in target.model else None
            body, lost = encode_chat(read_whole(request), target.model, traits)
            return Encoded(f"{place}/converse-stream" if request.stream else f"{place}/converse", body, dropped=lost)
        if request.operation is Operation.EMBEDDINGS:
            return Encoded(f"{place}/invoke", encode_embeddings(request, target.model))
        raise unsupported(request.operation.value, NAME)

    def decode(self, body: bytes, request: Request) -> Completion:
        """Return the whole answer; see the port."""
        if isinstance(request, ChatRequest):
            return decode_chat(body, request.model, self._mint)
        return decode_embeddings(body, request)

    def decoder(self, request: Request) -> Decoder:
        """Return a fresh decoder for one streamed answer."""
        return BedrockDecoder(request, self._mint)

    error = staticmethod(error_of_status)
