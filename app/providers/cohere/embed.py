"""Embeddings and reranking: the canonical requests to Cohere's, and the answers back."""

from __future__ import annotations

from typing import Final

import msgspec

from app.core.dialects.absent import given_in
from app.core.model import Completion, PlainRequest
from app.providers.canonical.decoding import heard
from app.providers.canonical.ranking import Rank, ranking, read_rerank
from app.providers.canonical.stamps import Mint
from app.providers.canonical.vectors import embeddings, read_embeddings
from app.providers.cohere.request import NAME
from app.providers.cohere.response import WHOSE

_INPUT_TYPE: Final = "search_document"  # Cohere demands one; this is what an index of documents is made of


class _Billed(msgspec.Struct, frozen=True):
    input_tokens: float | None = None


class _Meta(msgspec.Struct, frozen=True):
    billed_units: _Billed = _Billed()

    @property
    def tokens(self) -> int | None:
        """Return the tokens of the input, if they are told; reranking is billed by searches."""
        told = self.billed_units.input_tokens
        return None if told is None else int(told)


class _Vectors(msgspec.Struct, frozen=True):
    float: list[msgspec.Raw]


class _Embedded(msgspec.Struct, frozen=True):
    embeddings: _Vectors
    meta: _Meta = _Meta()


class _Reranked(msgspec.Struct, frozen=True):
    results: list[Rank]
    id: str = ""
    meta: _Meta = _Meta()


def encode_embeddings(request: PlainRequest, model: str) -> bytes:
    """Return the body of `POST /v2/embed`."""
    asked = read_embeddings(request)
    given = {
        "model": model,
        "texts": asked.texts(NAME),
        "input_type": asked.input_type or _INPUT_TYPE,
        "embedding_types": ["float"],
        "output_dimension": asked.dimensions,
    }
    return msgspec.json.encode(given_in(given))


def decode_embeddings(body: bytes, request: PlainRequest) -> Completion:
    """Return the answer."""
    answer = heard(body, _Embedded, WHOSE)
    return embeddings(request, answer.embeddings.float, answer.meta.tokens)


def encode_rerank(request: PlainRequest, model: str) -> bytes:
    """Return the body of `POST /v2/rerank`."""
    asked = read_rerank(request)
    more = {"top_n": asked.top_n, "max_tokens_per_doc": asked.max_tokens_per_doc}
    return msgspec.json.encode({"model": model, "query": asked.query, "documents": asked.texts, **given_in(more)})


def decode_rerank(body: bytes, request: PlainRequest, mint: Mint) -> Completion:
    """Return the answer."""
    answer = heard(body, _Reranked, WHOSE)
    return ranking(request, answer.results, answer.id or mint.fresh("rerank-"), answer.meta.tokens)
