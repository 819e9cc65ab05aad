"""Reranking in the canonical form, which Cohere and Jina made the common one: `{"query", "documents", "top_n"}`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from app.core.bodies import decode_as
from app.core.errors import BAD_UPSTREAM_REPLY, GatewayError
from app.core.model import Completion, PlainRequest
from app.core.usage import Usage


class RankedText(msgspec.Struct, frozen=True):
    """A document as an object."""

    text: str


class RerankAsked(msgspec.Struct, frozen=True):
    """A request to order documents by how well they answer a query."""

    model: str
    query: str
    documents: list[str | RankedText]
    top_n: int | None = None
    return_documents: bool = False
    max_tokens_per_doc: int | None = None

    @property
    def texts(self) -> list[str]:
        """Return the documents' texts."""
        return [given if isinstance(given, str) else given.text for given in self.documents]


class Rank(msgspec.Struct, frozen=True):
    """A document's place in the request, and how well it answers."""

    index: int
    relevance_score: float


def read_rerank(request: PlainRequest) -> RerankAsked:
    """Read a request to rerank."""
    return decode_as(RerankAsked, request.raw)


def ranking(request: PlainRequest, ranks: Sequence[Rank], answer_id: str, tokens: int | None) -> Completion:
    """Return the answer to `request`."""
    asked = read_rerank(request)
    texts = asked.texts
    if any(not 0 <= rank.index < len(texts) for rank in ranks):
        raise GatewayError(BAD_UPSTREAM_REPLY, "The provider ranked a document that it was not given.")
    results = [
        {
            "index": rank.index,
            "relevance_score": rank.relevance_score,
            **({"document": {"text": texts[rank.index]}} if asked.return_documents else {}),
        }
        for rank in ranks
    ]
    usage = None if tokens is None else Usage(tokens, 0, tokens)
    shown = None if tokens is None else {"prompt_tokens": tokens, "total_tokens": tokens}
    body = {"id": answer_id, "model": request.model, "results": results, "usage": shown}
    return Completion(msgspec.json.encode(body), usage)
