"""Cohere, in its own dialect: the v2 API for chat, embeddings and reranking."""
