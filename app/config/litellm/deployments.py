"""Convert the `model_list`: each entry becomes a target of the route with its `model_name`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.config.litellm.mappings import Given, Notes
from app.config.litellm.naming import Named, NoCounterpartError, named
from app.config.litellm.upstream import Upstream, upstreams

_PER_MTOK: Final = 1_000_000
SHARES: Final = ("weight", "rpm", "tpm")  # the first that any deployment of a group has becomes its weight
_PRICES: Final = (
    ("input", "input_cost_per_token"),
    ("output", "output_cost_per_token"),
    ("cached", "cache_read_input_token_cost"),
    ("cache_write", "cache_creation_input_token_cost"),
    ("reasoning", "output_cost_per_reasoning_token"),
)
# Routes in place of LiteLLM's bare star: one for each family of names; other models are called as provider/model.
_STAR: Final = (("gpt-*", "openai/gpt-*"), ("claude-*", "anthropic/claude-*"), ("gemini-*", "gemini/gemini-*"))


@dataclass(frozen=True, slots=True)
class Facts:
    """The properties of an entry; `shares` are weight, rpm and tpm, `prices` US dollars per million tokens."""

    shares: Mapping[str, float]
    order: int
    max_in_flight: int | None
    context_window: int | None
    prices: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Deployment:
    """One entry: a model of one upstream, and target of the route `group`."""

    group: str
    upstream: Upstream
    model: str
    facts: Facts


def deployments(top: Given, unsupported: str | None) -> Sequence[Deployment]:
    """Convert the model list and the credentials; return the deployments that this gateway supports."""
    credentials = _credentials(top)
    result: list[Deployment] = []
    for index, entry in enumerate(_expanded(top.several("model_list"), top.notes)):
        mapping = Given(entry, f"model_list[{index}]", "model_list", top.notes)
        result += _deployments(mapping, credentials, unsupported)
        mapping.leave()
    return result


def _credentials(top: Given) -> Mapping[str, Mapping[str, object]]:
    credentials: dict[str, Mapping[str, object]] = {}
    for entry in top.several("credential_list"):
        values = entry.get("credential_values") if isinstance(entry, dict) else None
        if isinstance(entry, dict) and isinstance(values, dict):
            credentials[str(entry.get("credential_name"))] = values
    return credentials


def _expanded(entries: Sequence[object], notes: Notes) -> Sequence[object]:
    """Replace an entry for all models of all providers, which has no counterpart, by one for each family."""
    result: list[object] = []
    for index, entry in enumerate(entries):
        params = entry.get("litellm_params") if isinstance(entry, dict) else None
        if not isinstance(entry, dict) or not isinstance(params, dict) or params.get("model") != "*":
            result.append(entry)
            continue
        notes.add(
            f"model_list[{index}]",
            "* for all providers became routes for the families of OpenAI, Anthropic and Gemini; add providers for"
            " others, whose models can then be called as provider/model without any route",
        )
        for name, model in _STAR:
            result.append({**entry, "model_name": name, "litellm_params": {**params, "model": model}})
    return result


def _deployments(
    mapping: Given, credentials: Mapping[str, Mapping[str, object]], unsupported: str | None
) -> Sequence[Deployment]:
    tree = mapping.take("litellm_params")
    if isinstance(tree, dict) and tree.get("litellm_credential_name") in credentials:
        tree = {**credentials[tree.pop("litellm_credential_name")], **tree}
    params = Given(tree, f"{mapping.path}.litellm_params", "litellm_params", mapping.notes)
    info = mapping.inner("model_info")
    group = _group(mapping)
    try:
        place = _place(params)
    except NoCounterpartError as error:
        mapping.notes.add(mapping.path, f"left out: {error}")
        return ()
    if group is None:
        mapping.notes.add(mapping.path, "left out: it has no model_name")
        return ()
    several = upstreams(params, place, unsupported)
    facts = _facts(params, info, place.model)
    params.leave()
    info.leave()
    return [Deployment(group, upstream, place.model, facts) for upstream in several]


def _facts(params: Given, info: Given, model: str) -> Facts:
    return Facts(
        shares={name: share for name in SHARES if (share := params.number(name)) is not None},
        order=params.whole("order") or 1,
        max_in_flight=params.whole("max_parallel_requests"),
        context_window=info.whole("max_input_tokens"),
        prices=_prices(params, info, model),
    )


def _place(params: Given) -> Named:
    model = params.text("model")
    if model is None:
        raise NoCounterpartError("litellm_params has no model")
    if "${" in model:
        raise NoCounterpartError("the name of its model is in the environment: write it into the file")
    has_address = params.had("api_base") or params.had("base_url")
    return named(model, params.text("custom_llm_provider"), has_address=has_address)


def _group(mapping: Given) -> str | None:
    name = mapping.text("model_name")
    if name is None or re.search(r"\s", name) is None:
        return name
    mapping.note("model_name", "names of routes have no spaces; they became dashes")
    return re.sub(r"\s+", "-", name)


def _prices(params: Given, info: Given, model: str) -> Mapping[str, float]:
    prices: dict[str, float] = {}
    for name, word in _PRICES:
        usd, known = params.number(word), info.number(word)
        price = usd if usd is not None else known
        if price is not None:
            prices[name] = round(price * _PER_MTOK, 6)
    if prices and "*" in model:
        params.note("input_cost_per_token", "prices belong to single models: name them under prices")
        return {}
    return prices if not prices or "input" in prices else {"input": 0.0, **prices}
