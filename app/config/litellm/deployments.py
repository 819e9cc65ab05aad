"""The `model_list`: each entry is a target of the route with its `model_name`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from app.config.litellm.mappings import Given, Notes
from app.config.litellm.naming import Named, NoCounterpartError, named
from app.config.litellm.upstream import Upstream, upstreams

_PER_MTOK: Final = 1_000_000
SHARES: Final = ("weight", "rpm", "tpm")  # the first that any deployment of a group has is what chance goes by
_PRICES: Final = (
    ("input", "input_cost_per_token"),
    ("output", "output_cost_per_token"),
    ("cached", "cache_read_input_token_cost"),
    ("cache_write", "cache_creation_input_token_cost"),
    ("reasoning", "output_cost_per_reasoning_token"),
)
# What LiteLLM's bare star reaches: a family of names each, and the rest by provider/model.
_STAR: Final = (("gpt-*", "openai/gpt-*"), ("claude-*", "anthropic/claude-*"), ("gemini-*", "gemini/gemini-*"))


@dataclass(frozen=True, slots=True)
class Facts:
    """What an entry says of itself; `shares` are weight, rpm and tpm, `prices` US dollars for a million tokens."""

    shares: Mapping[str, float]
    order: int
    max_in_flight: int | None
    context_window: int | None
    prices: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Deployment:
    """One entry: a model of one upstream, which answers for the route `group`."""

    group: str
    upstream: Upstream
    model: str
    facts: Facts


def deployments(top: Given, unsupported: str | None) -> Sequence[Deployment]:
    """Take the model list and the credentials out of the file, and return what can be reached from here."""
    credentials = _credentials(top)
    found: list[Deployment] = []
    for index, entry in enumerate(_expanded(top.several("model_list"), top.notes)):
        given = Given(entry, f"model_list[{index}]", "model_list", top.notes)
        found += _deployments(given, credentials, unsupported)
        given.leave()
    return found


def _credentials(top: Given) -> Mapping[str, Mapping[str, object]]:
    found: dict[str, Mapping[str, object]] = {}
    for entry in top.several("credential_list"):
        values = entry.get("credential_values") if isinstance(entry, dict) else None
        if isinstance(entry, dict) and isinstance(values, dict):
            found[str(entry.get("credential_name"))] = values
    return found


def _expanded(entries: Sequence[object], notes: Notes) -> Sequence[object]:
    """Replace an entry for every model of every provider, which no route here can be, by some that can."""
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
    given: Given, credentials: Mapping[str, Mapping[str, object]], unsupported: str | None
) -> Sequence[Deployment]:
    tree = given.take("litellm_params")
    if isinstance(tree, dict) and tree.get("litellm_credential_name") in credentials:
        tree = {**credentials[tree.pop("litellm_credential_name")], **tree}
    params = Given(tree, f"{given.path}.litellm_params", "litellm_params", given.notes)
    info = given.inner("model_info")
    group = _group(given)
    try:
        place = _place(params)
    except NoCounterpartError as error:
        given.notes.add(given.path, f"left out: {error}")
        return ()
    if group is None:
        given.notes.add(given.path, "left out: it has no model_name")
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


def _group(given: Given) -> str | None:
    name = given.text("model_name")
    if name is None or re.search(r"\s", name) is None:
        return name
    given.note("model_name", "names of routes have no spaces; they became dashes")
    return re.sub(r"\s+", "-", name)


def _prices(params: Given, info: Given, model: str) -> Mapping[str, float]:
    found: dict[str, float] = {}
    for name, word in _PRICES:
        usd, known = params.number(word), info.number(word)
        price = usd if usd is not None else known
        if price is not None:
            found[name] = round(price * _PER_MTOK, 6)
    if found and "*" in model:
        params.note("input_cost_per_token", "prices belong to single models: name them under prices")
        return {}
    return found if not found or "input" in found else {"input": 0.0, **found}
