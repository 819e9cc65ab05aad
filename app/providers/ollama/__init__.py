"""Ollama, in its own dialect: chat as lines of JSON, and embeddings."""

from __future__ import annotations

from app.providers.ollama.codec import OllamaCodec

__all__ = ["OllamaCodec"]
