"""A chat request, from the canonical form to the body of `generateContent`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from app.core.dialects.absent import given_in, present
from app.providers.canonical import conversation
from app.providers.canonical.chat_request import Asked, Body, Json, Offered
from app.providers.canonical.search import lost_of_search, web_search
from app.providers.canonical.tool_choice import Choice, read_choice
from app.providers.canonical.unsupported import USUAL, dropped, dropped_inside, unsupported, written
from app.providers.gemini.messages import NAME, contents_of, system_of

EXTRAS: Final = "google"  # the member of a body that holds what only this dialect knows
_CARRIED: Final = USUAL | {
    "seed", "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", "modalities", "web_search_options",
    EXTRAS,
}  # fmt: skip
# Tokens for each effort, as Google's compatible endpoint translates them (https://ai.google.dev/gemini-api/docs/openai).
_BUDGETS: Final[Mapping[str, int]] = MappingProxyType(
    {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192, "high": 24_576, "xhigh": 32_768, "max": 32_768}
)
# The other efforts are levels of the same names.
_LEVELS: Final[Mapping[str, str]] = MappingProxyType({"none": "minimal", "xhigh": "high", "max": "high"})
_BY_BUDGET = re.compile(r"gemini-(1|2)\.")  # later models take levels, and want signatures back
_MODES: Final[Mapping[str, str]] = MappingProxyType({"auto": "AUTO", "none": "NONE", "required": "ANY"})
_MODALITIES: Final = frozenset({"text", "image"})


def encode_chat(body: Body, model: str) -> tuple[bytes, tuple[str, ...]]:
    """Return the body, and the names of the fields that it does without."""
    asked = body.asked
    lost = (*dropped(body.members, _CARRIED, NAME), *dropped_inside(asked, frozenset()))
    by_budget = _BY_BUDGET.match(model) is not None
    choice = read_choice(asked)
    tools = _tools(asked.tools or (), choice.only)
    search = web_search(body.members)
    if search is not None:
        lost = (*lost, *lost_of_search(search))
        if tools and by_budget:
            raise unsupported("web_search_options", NAME, "this model searches or calls functions, but not both")
    request = {
        "contents": contents_of(asked.messages, signed=not by_budget),
        "systemInstruction": system_of(asked.messages),
        "generationConfig": _config(asked, by_budget=by_budget) or None,
        "tools": [*tools, *([{"googleSearch": {}}] if search is not None else ())] or None,
        "toolConfig": _tool_config(choice) if tools else None,
    }
    return written(request, body.members.get(EXTRAS)), lost


def _config(asked: Asked, *, by_budget: bool) -> Json:
    form = asked.response_format
    wants_json = form is not None and form.type in {"json_object", "json_schema"}
    config = {
        "temperature": asked.temperature,
        "topP": asked.top_p,
        "topK": asked.top_k,
        "candidateCount": asked.n if asked.n != 1 else None,
        "maxOutputTokens": asked.most_tokens,
        "stopSequences": asked.stops or None,
        "seed": asked.seed,
        "presencePenalty": asked.presence_penalty,
        "frequencyPenalty": asked.frequency_penalty,
        "responseLogprobs": asked.logprobs or None,
        "logprobs": asked.top_logprobs if asked.logprobs else None,
        "responseMimeType": "application/json" if wants_json else None,
        "responseJsonSchema": present(form.json_schema.schema) if form is not None and form.json_schema else None,
        "responseModalities": _modalities(asked) or None,
        "thinkingConfig": _thinking(asked.reasoning_effort, by_budget=by_budget),
    }
    return given_in(config)


def _thinking(effort: str | None, *, by_budget: bool) -> Json | None:
    conversation.require_effort(effort)
    if effort is None:
        return None
    amount: Json = {"thinkingBudget": _BUDGETS[effort]} if by_budget else {"thinkingLevel": _LEVELS.get(effort, effort)}
    return amount if effort == "none" else {"includeThoughts": True, **amount}


def _modalities(asked: Asked) -> list[str]:
    wanted = asked.modalities or []
    for modality in wanted:
        if modality not in _MODALITIES:
            raise unsupported("modalities", NAME, f"it has no {modality[:40]!r}")
    return [modality.upper() for modality in wanted] if wanted != ["text"] else []


def _tools(offered: Sequence[Offered], only: frozenset[str] | None) -> list[Json]:
    declared = [
        given_in({"name": each.name, "description": each.description, "parametersJsonSchema": present(each.parameters)})
        for _, each in conversation.functions_in(offered, only, NAME)
    ]
    return [{"functionDeclarations": declared}] if declared else []


def _tool_config(choice: Choice) -> Json | None:
    if choice.name is not None:
        return {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": [choice.name]}}
    return {"functionCallingConfig": {"mode": _MODES[choice.mode]}} if choice.mode is not None else None
