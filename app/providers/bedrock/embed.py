"""Embeddings: `invoke` with the body of the model's own maker, Amazon's Titan or Cohere's Embed."""

from __future__ import annotations

from typing import Final

import msgspec

from app.core.dialects.absent import ABSENT, given_in
from app.core.errors import BAD_UPSTREAM_REPLY, INVALID_REQUEST, GatewayError
from app.core.model import Completion, PlainRequest
from app.providers.bedrock.messages import NAME
from app.providers.canonical.decoding import UNREADABLE
from app.providers.canonical.unsupported import unsupported
from app.providers.canonical.vectors import embeddings, read_embeddings

_INPUT_TYPE: Final = "search_document"  # Cohere demands one; this is what an index of documents is made of


class _Answer(msgspec.Struct, frozen=True):
    embedding: msgspec.Raw = ABSENT
    embeddings: msgspec.Raw = ABSENT
    input_tokens: int | None = msgspec.field(default=None, name="inputTextTokenCount")


class _ByType(msgspec.Struct, frozen=True):
    float: list[msgspec.Raw]


def encode_embeddings(request: PlainRequest, model: str) -> bytes:
    """Return the body of `invoke`."""
    asked = read_embeddings(request)
    texts = asked.texts(NAME)
    if "titan-embed" in model:
        if len(texts) > 1:
            message = "Titan embeds one text for each request."
            raise GatewayError(INVALID_REQUEST, message, param="input", suggestion="Send the texts one by one.")
        return msgspec.json.encode(given_in({"inputText": texts[0], "dimensions": asked.dimensions}))
    if "cohere.embed" in model:
        kind = asked.input_type or _INPUT_TYPE
        given = {"texts": texts, "input_type": kind, "output_dimension": asked.dimensions}
        return msgspec.json.encode(given_in(given))
    raise unsupported("embeddings", NAME, "of its models the gateway knows those of Titan and Cohere")


def decode_embeddings(body: bytes, request: PlainRequest) -> Completion:
    """Return the answer."""
    try:
        answer = msgspec.json.decode(body, type=_Answer)
        vectors = [answer.embedding] if bytes(answer.embedding) else _several(answer.embeddings)
    except UNREADABLE as error:
        raise GatewayError(BAD_UPSTREAM_REPLY, "The provider's answer holds no embeddings.") from error
    return embeddings(request, vectors, answer.input_tokens)


def _several(raw: msgspec.Raw) -> list[msgspec.Raw]:
    """Read a list of vectors, or an object that has one for each type of number."""
    if bytes(raw).startswith(b"{"):
        return msgspec.json.decode(raw, type=_ByType).float
    return msgspec.json.decode(raw, type=list[msgspec.Raw])
