"""Anthropic behind the gateway, in its own dialect: the Messages API, at Anthropic and at every compatible server."""

from __future__ import annotations

from app.providers.anthropic.codec import AnthropicCodec

__all__ = ["AnthropicCodec"]
