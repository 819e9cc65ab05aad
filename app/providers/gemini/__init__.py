"""Google's Gemini, in its own dialect: `generateContent`, at the Gemini API and at Vertex AI alike."""

from __future__ import annotations

from app.providers.gemini.codec import GeminiCodec

__all__ = ["GeminiCodec"]
