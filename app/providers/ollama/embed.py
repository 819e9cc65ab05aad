"""Embeddings: the canonical request to `POST /api/embed`, and its answer back."""

from __future__ import annotations

import msgspec

from app.core.dialects.absent import given_in
from app.core.model import Completion, PlainRequest
from app.providers.canonical.decoding import heard
from app.providers.canonical.vectors import embeddings, read_embeddings
from app.providers.ollama.request import NAME


class _Answer(msgspec.Struct, frozen=True):
    embeddings: list[msgspec.Raw]
    prompt_eval_count: int | None = None


def encode_embeddings(request: PlainRequest, model: str) -> bytes:
    """Return the body."""
    asked = read_embeddings(request)
    return msgspec.json.encode(given_in({"model": model, "input": asked.texts(NAME), "dimensions": asked.dimensions}))


def decode_embeddings(body: bytes, request: PlainRequest) -> Completion:
    """Return the answer."""
    answer = heard(body, _Answer, "Ollama's")
    return embeddings(request, answer.embeddings, answer.prompt_eval_count)
