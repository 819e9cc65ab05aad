"""AWS Bedrock, in its own dialect: the Converse API, with its binary event streams and signed requests."""

from __future__ import annotations

from app.providers.bedrock.codec import BedrockCodec

__all__ = ["BedrockCodec"]
