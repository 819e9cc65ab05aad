"""Cohere, in its own dialect: the v2 API for chat, embeddings and reranking."""

from __future__ import annotations

from app.providers.cohere.codec import CohereCodec

__all__ = ["CohereCodec"]
