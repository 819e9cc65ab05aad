"""OpenAI's Responses API behind the gateway, for models that are better there, or only there."""

from __future__ import annotations

from app.providers.responses.codec import ResponsesCodec

__all__ = ["ResponsesCodec"]
