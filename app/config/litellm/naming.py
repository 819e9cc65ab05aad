"""Convert LiteLLM's model names, `provider/model`, to this gateway's kinds of provider and model names."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from app.config.litellm.known import FAMILIES, PROVIDERS, REFUSED, Known

_REGION: Final = re.compile(r"([a-z]{2}(?:-[a-z]+)+-\d)/(.+)")
_BEDROCK_APIS: Final = ("converse/", "converse_like/", "invoke/")


@dataclass(frozen=True, slots=True)
class Named:
    """A model and its provider; `responses`: it uses OpenAI's Responses API; `region` is Bedrock's."""

    known: Known
    model: str
    responses: bool = False
    region: str | None = None


class NoCounterpartError(Exception):
    """A model that this gateway does not support; the message says why, and what to do."""


def named(model: str, provider: str | None, *, has_address: bool) -> Named:
    """
    Return the provider and model for a name of LiteLLM's.

    Args:
        model: The value of `litellm_params.model`.

        provider: The value of `custom_llm_provider`, if any.

        has_address: Whether there is an `api_base`; a name without a provider then means an OpenAI-compatible server.

    Raises:
        NoCounterpartError: Its provider has no kind here, or cannot be derived from the name.
    """
    prefix, slash, rest = model.partition("/")
    if provider is None and not slash:
        provider, rest = _owner(model, has_address=has_address), model
    elif provider is None or provider == prefix:
        provider = prefix
    else:
        rest = model
    known = PROVIDERS.get(provider)
    if known is None:
        advice = REFUSED.get(provider, "if its server speaks OpenAI's dialect, add it as kind openai with its base_url")
        raise NoCounterpartError(f"LiteLLM's provider {provider} has no kind here: {advice}")
    return _refined(known, rest)


def _owner(model: str, *, has_address: bool) -> str:
    if has_address:
        return "openai"
    for beginning, provider in FAMILIES.items():
        if model.startswith(beginning):
            return provider
    raise NoCounterpartError("it names no provider, and none can be told from its name: write provider/model")


def _refined(known: Known, model: str) -> Named:
    if known.kind in {"openai", "azure"} and model.startswith("responses/"):
        return Named(known, model.removeprefix("responses/"), responses=True)
    if known.kind == "bedrock":
        for api in _BEDROCK_APIS:
            model = model.removeprefix(api)
        match = _REGION.fullmatch(model)
        return Named(known, model) if match is None else Named(known, match[2], region=match[1])
    if known.kind == "vertex" and not model.startswith(("gemini", "text-embedding", "*")):
        raise NoCounterpartError("kind vertex serves Google's own models; those of other publishers have no kind here")
    return Named(known, model)
