"""A chat request, from the canonical form to the body of `generateContent`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.dialects.absent import ABSENT, present
from app.providers.canonical import talk
from app.providers.canonical.asked import Asked, Body, Offered
from app.providers.canonical.choice import Choice, read_choice
from app.providers.canonical.losses import dropped, dropped_inside, unsupported, with_extras
from app.providers.canonical.search import lost_of_search, web_search
from app.providers.gemini.messages import NAME, contents_of, system_of
from app.providers.gemini.wire import (
    FunctionCallingConfig,
    FunctionDeclaration,
    GenerateRequest,
    GenerationConfig,
    ThinkingConfig,
    Tool,
    ToolConfig,
)

EXTRAS: Final = "google"  # the member of a body that holds what only this dialect knows
_CARRIED: Final = frozenset(
    {
        "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "n", "stop", "seed",
        "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", "tools", "tool_choice",
        "response_format", "reasoning_effort", "modalities", "web_search_options", EXTRAS,
    }
)  # fmt: skip
# Tokens for each effort, as Google's compatible endpoint translates them (https://ai.google.dev/gemini-api/docs/openai).
_BUDGETS: Final[Mapping[str, int]] = MappingProxyType(
    {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24_576, "xhigh": 32_768, "max": 32_768}
)
_LEVELS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "none": "minimal",
        "minimal": "minimal",
        "low": "low",
        "medium": "medium",
        "high": "high",
        "xhigh": "high",
        "max": "high",
    }
)
_BY_BUDGET = re.compile(r"gemini-(1|2)\.")  # later models take levels, and want signatures back
_MODES: Final[Mapping[str, str]] = MappingProxyType({"auto": "AUTO", "none": "NONE", "required": "ANY"})
_SEARCH: Final = Tool(google_search=msgspec.Raw(b"{}"))
_MODALITIES: Final = frozenset({"text", "image"})


def encode_chat(body: Body, model: str) -> tuple[bytes, tuple[str, ...]]:
    """
    Return the body, and the names of the fields that it does without.

    Raises:
        GatewayError: UNSUPPORTED_FEATURE or INVALID_REQUEST, naming the part.
    """
    asked = body.asked
    lost = (*dropped(body.members, _CARRIED, NAME), *dropped_inside(asked, frozenset()))
    by_budget = _BY_BUDGET.match(model) is not None
    choice = read_choice(asked)
    tools = _tools(asked.tools or (), choice.only)
    search = web_search(body.members)
    config = _config(asked, by_budget=by_budget)
    if search is not None:
        lost = (*lost, *lost_of_search(search))
        if tools and by_budget:
            raise unsupported("web_search_options", NAME, "this model searches or calls functions, but not both")
    request = GenerateRequest(
        contents=contents_of(asked.messages, signed=not by_budget),
        system_instruction=system_of(asked.messages),
        generation_config=config if config != GenerationConfig() else None,
        tools=tools if search is None else (*tools, _SEARCH),
        tool_config=_tool_config(choice) if tools else None,
    )
    return with_extras(msgspec.json.encode(request), body.members.get(EXTRAS)), lost


def _config(asked: Asked, *, by_budget: bool) -> GenerationConfig:
    form = asked.response_format
    wants_json = form is not None and form.type in {"json_object", "json_schema"}
    schema = present(form.json_schema.schema) if form is not None and form.json_schema is not None else ABSENT
    return GenerationConfig(
        temperature=asked.temperature,
        top_p=asked.top_p,
        top_k=asked.top_k,
        candidate_count=asked.n if asked.n != 1 else None,
        max_output_tokens=asked.most_tokens,
        stop_sequences=tuple(asked.stops),
        seed=asked.seed,
        presence_penalty=asked.presence_penalty,
        frequency_penalty=asked.frequency_penalty,
        response_logprobs=bool(asked.logprobs),
        logprobs=asked.top_logprobs if asked.logprobs else None,
        response_mime_type="application/json" if wants_json else None,
        response_json_schema=schema,
        response_modalities=_modalities(asked),
        thinking_config=_thinking(asked.reasoning_effort, by_budget=by_budget),
    )


def _thinking(effort: str | None, *, by_budget: bool) -> ThinkingConfig | None:
    if effort is None:
        return None
    talk.require_effort(effort, _BUDGETS)
    shown = effort != "none"
    if by_budget:
        return ThinkingConfig(include_thoughts=shown, thinking_budget=_BUDGETS[effort])
    return ThinkingConfig(include_thoughts=shown, thinking_level=_LEVELS[effort])


def _modalities(asked: Asked) -> Sequence[str]:
    wanted = asked.modalities or []
    for modality in wanted:
        if modality not in _MODALITIES:
            raise unsupported("modalities", NAME, f"it has no {modality[:40]!r}")
    return tuple([modality.upper() for modality in wanted]) if wanted != ["text"] else ()


def _tools(offered: Sequence[Offered], only: frozenset[str] | None) -> Sequence[Tool]:
    declared = [
        FunctionDeclaration(given.name, given.description, present(given.parameters))
        for _, given in talk.functions_in(offered, only, NAME)
    ]
    return (Tool(declared),) if declared else ()


def _tool_config(choice: Choice) -> ToolConfig | None:
    if choice.name is not None:
        return ToolConfig(FunctionCallingConfig("ANY", (choice.name,)))
    return ToolConfig(FunctionCallingConfig(_MODES[choice.mode])) if choice.mode is not None else None
