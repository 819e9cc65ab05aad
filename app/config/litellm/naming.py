"""LiteLLM's names of models, `provider/model`, as kinds of provider and names of models here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from app.config.litellm.known import FAMILIES, PROVIDERS, REFUSED, Known

_REGION: Final = re.compile(r"([a-z]{2}(?:-[a-z]+)+-\d)/(.+)")
_BEDROCK_APIS: Final = ("converse/", "converse_like/", "invoke/")


@dataclass(frozen=True, slots=True)
class Named:
    """Where a model is; `responses` is whether it is asked by OpenAI's Responses API, `region` is Bedrock's."""

    known: Known
    model: str
    responses: bool = False
    region: str | None = None


class NoCounterpartError(Exception):
    """A model that this gateway cannot reach; the text says why, and what to do."""


def named(model: str, provider: str | None, *, has_address: bool) -> Named:
    """
    Find out who answers to a name of LiteLLM's.

    Args:
        model: What `litellm_params.model` says.

        provider: What `custom_llm_provider` says, if anything.

        has_address: Whether there is an `api_base`; then an unknown name is that of a server with OpenAI's dialect.

    Raises:
        NoCounterpartError: Its provider has no kind here.
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
        found = _REGION.fullmatch(model)
        return Named(known, model) if found is None else Named(known, found[2], region=found[1])
    if known.kind == "vertex" and not model.startswith(("gemini", "text-embedding", "*")):
        raise NoCounterpartError("kind vertex serves Google's own models; those of other publishers have no kind here")
    return Named(known, model)
