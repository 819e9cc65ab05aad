"""Decodes OpenAI's embeddings requests and writes their answers in either encoding."""

from __future__ import annotations

import sys
from array import array
from base64 import b64encode
from collections.abc import Sequence

import msgspec

from app.core.bodies import decode_as
from app.core.errors import BAD_UPSTREAM_REPLY, INVALID_REQUEST, GatewayError
from app.core.model import Completion, PlainRequest
from app.core.usage import Usage


class EmbeddingsAsked(msgspec.Struct, frozen=True):
    """
    A request for embeddings. `input_type` extends OpenAI's form for providers that distinguish queries from documents.
    """

    model: str
    input: str | list[str | int | list[int]]
    encoding_format: str = "float"
    dimensions: int | None = None
    input_type: str | None = None

    def texts(self, provider: str) -> list[str]:
        """Return the texts to embed; refuse tokens, which only the provider of their vocabulary can read."""
        inputs = [self.input] if isinstance(self.input, str) else self.input
        texts = [text for text in inputs if isinstance(text, str)]
        if len(texts) < len(inputs) or not texts:
            message = f"{provider} embeds texts: 'input' must be a text or a list of texts."
            raise GatewayError(INVALID_REQUEST, message, param="input")
        return texts


def read_embeddings(request: PlainRequest) -> EmbeddingsAsked:
    """Read a request for embeddings."""
    return decode_as(EmbeddingsAsked, request.raw)


def embeddings(request: PlainRequest, vectors: Sequence[msgspec.Raw], tokens: int | None) -> Completion:
    """Return the answer to `request`, in the encoding that it asks for; `tokens` is what the input took, if known."""
    shown: Sequence[msgspec.Raw | str] = vectors
    if read_embeddings(request).encoding_format == "base64":
        shown = [_packed(vector) for vector in vectors]
    usage = Usage(tokens or 0, 0, tokens or 0)
    body = {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(shown)],
        "model": request.model,
        "usage": {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.total_tokens},
    }
    return Completion(msgspec.json.encode(body), None if tokens is None else usage)


def _packed(vector: msgspec.Raw) -> str:
    """Return a vector in OpenAI's base64 encoding: little-endian 32-bit floats."""
    try:
        floats = array("f", msgspec.json.decode(vector, type=list[float]))
    except msgspec.ValidationError as error:
        raise GatewayError(BAD_UPSTREAM_REPLY, "The provider's embedding is no list of numbers.") from error
    if sys.byteorder == "big":
        floats.byteswap()
    return b64encode(floats.tobytes()).decode()
