"""Ollama, in its own dialect: chat as lines of JSON, and embeddings."""
