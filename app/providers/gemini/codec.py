"""The codec for Gemini: which address serves what, and which module translates it."""

from __future__ import annotations

from urllib.parse import quote

from app.core.call import Target
from app.core.dialects.absent import is_given
from app.core.model import ChatRequest, Completion, Operation, Request
from app.core.ports import Decoder, Encoded
from app.providers.canonical.chat_request import read_whole
from app.providers.canonical.decoding import heard
from app.providers.canonical.stamps import Mint
from app.providers.canonical.unsupported import unsupported
from app.providers.gemini.embed import decode_embeddings, encode_embeddings
from app.providers.gemini.errors import error_in_answer, error_of_status
from app.providers.gemini.messages import NAME
from app.providers.gemini.request import encode_chat
from app.providers.gemini.response import decode_chat
from app.providers.gemini.stream import GeminiDecoder
from app.providers.gemini.wire import WHOSE, GenerateResponse


class GeminiCodec:
    """
    Speaks `POST {base_url}/models/{model}:generateContent`.

    The same at the Gemini API (`https://generativelanguage.googleapis.com/v1beta`) and, with `vertex`, at Vertex AI
    (`.../v1/projects/PROJECT/locations/PLACE/publishers/google`), where only embeddings have another form.
    """

    def __init__(self, mint: Mint, *, vertex: bool = False) -> None:
        self._mint = mint
        self._vertex = vertex

    def encode(self, request: Request, target: Target) -> Encoded:
        """Return what the provider is sent; see the port."""
        model = target.model.removeprefix("models/")
        place = f"/models/{quote(model, safe='')}"
        if isinstance(request, ChatRequest):
            body, lost = encode_chat(read_whole(request), model)
            method = ":streamGenerateContent?alt=sse" if request.stream else ":generateContent"
            return Encoded(f"{place}{method}", body, dropped=lost)
        if request.operation is Operation.EMBEDDINGS:
            method = ":predict" if self._vertex else ":batchEmbedContents"
            return Encoded(place + method, encode_embeddings(request, model, vertex=self._vertex))
        raise unsupported(request.operation.value, NAME)

    def decode(self, body: bytes, request: Request) -> Completion:
        """Return the whole answer; see the port."""
        if not isinstance(request, ChatRequest):
            return decode_embeddings(body, request)
        answer = heard(body, GenerateResponse, WHOSE)
        if is_given(answer.error):
            raise error_in_answer(bytes(answer.error))
        return decode_chat(answer, request.model, self._mint)

    def decoder(self, request: Request) -> Decoder:
        """Return a fresh decoder for one streamed answer."""
        return GeminiDecoder(request, self._mint)

    error = staticmethod(error_of_status)
