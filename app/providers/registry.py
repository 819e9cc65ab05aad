"""
Which codec speaks which dialect: one literal table, and what other packages bring along.

A dialect is a package (or a module, where it is OpenAI's with a difference) whose codec implements the `Codec` port;
docs/provider-kit.md tells how to write one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import msgspec

from app.core.ports import Codec
from app.providers.anthropic.codec import AnthropicCodec
from app.providers.bedrock.codec import BedrockCodec
from app.providers.canonical.stamps import Mint
from app.providers.cohere.codec import CohereCodec
from app.providers.gemini.codec import GeminiCodec
from app.providers.ollama.codec import OllamaCodec
from app.providers.openai.azure import AzureCodec
from app.providers.openai.codec import OpenAiCodec
from app.providers.openai.quirks import NO_QUIRKS, Quirks
from app.providers.policies import Policy, Strict
from app.providers.responses.codec import ResponsesCodec


class Build(msgspec.Struct, frozen=True):
    """
    What a codec may need to know of the provider that it is for.

    `unsupported` says what becomes of harmless parameters that the dialect cannot express; `max_tokens` is the bound of
    answers for dialects that demand one.
    """

    mint: Mint
    api_version: str | None = None
    quirks: Quirks = NO_QUIRKS
    unsupported: Policy = "drop"
    max_tokens: int | None = None


CodecFactory: TypeAlias = Callable[[Build], Codec]

CODECS: Final[Mapping[str, CodecFactory]] = MappingProxyType(
    {
        "openai": lambda given: OpenAiCodec(given.quirks),
        "openai-responses": lambda given: ResponsesCodec(given.mint, OpenAiCodec(given.quirks)),
        "anthropic": lambda given: AnthropicCodec(given.mint, given.max_tokens),
        "azure": lambda given: AzureCodec(given.api_version),
        "azure-responses": lambda given: ResponsesCodec(given.mint, AzureCodec(None), "/openai/v1/responses"),
        "bedrock": lambda given: BedrockCodec(given.mint),
        "cohere": lambda given: CohereCodec(given.mint),
        "gemini": lambda given: GeminiCodec(given.mint),
        "ollama": lambda given: OllamaCodec(given.mint),
        "vertex": lambda given: GeminiCodec(given.mint, vertex=True),
    }
)
# What a codec puts before its own addresses, so that it does not matter whether an operator wrote it.
_OWN_PATHS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"anthropic": ("/v1",), "azure": ("/openai/v1", "/openai"), "cohere": ("/v2", "/v1"), "ollama": ("/api",)}
)


def make_codec(factory: CodecFactory, given: Build) -> Codec:
    """Return the codec, with the policy for what it cannot express around it."""
    codec = factory(given)
    return codec if given.unsupported == "drop" else Strict(codec, given.unsupported)


def base_of(dialect: str, base_url: str) -> str:
    """Return the address that the dialect's codec adds its paths to."""
    if dialect == "gemini":
        return base_url if urlsplit(base_url).path.strip("/") else f"{base_url.rstrip('/')}/v1beta"
    for path in _OWN_PATHS.get(dialect, ()):
        if base_url.endswith(path):
            return base_url.removesuffix(path)
    return base_url
