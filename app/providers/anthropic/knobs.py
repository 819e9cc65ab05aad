"""Translates sampling, reasoning and response format from the canonical form to Anthropic's."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.dialects.anthropic import Block, OutputConfig, OutputFormat, Thinking
from app.providers.anthropic.messages import NAME, has_unsigned_calls
from app.providers.anthropic.traits import Traits
from app.providers.canonical.chat_request import Asked
from app.providers.canonical.tool_choice import Choice
from app.providers.canonical.unsupported import unsupported

_THINKING_MIN_TOKENS: Final = 1024  # https://platform.claude.com/docs/en/build-with-claude/extended-thinking
_THINKING_TOP_P_MIN: Final = 0.95  # likewise
_BUDGETS: Final[Mapping[str, int]] = MappingProxyType(
    {"minimal": 1024, "low": 2048, "medium": 8192, "high": 16_384, "xhigh": 32_000, "max": 32_000}
)
_EFFORTS: Final[Mapping[str, str]] = MappingProxyType(
    {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "max"}
)
# Where there is no JSON mode, this instruction replaces it, without a guarantee.
JSON_ONLY: Final = "Answer with one JSON object and nothing else: no prose around it, no code fence."


class Knobs(msgspec.Struct):
    """
    The members of the body for sampling, reasoning and format, and the names of the request's lost fields.

    `thinking` is raw if the client set it in Anthropic's form.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    thinking: Thinking | msgspec.Raw | None = None
    output_config: OutputConfig | None = None
    instruction: Block | None = None
    lost: list[str] = msgspec.field(default_factory=list)


class Wanted(msgspec.Struct, frozen=True):
    """What the knobs depend on; `thinking` is the member of that name, if the body has one."""

    asked: Asked
    choice: Choice
    traits: Traits
    max_tokens: int
    thinking: msgspec.Raw | None


def knobs_of(wanted: Wanted) -> Knobs:
    """Return the translated settings."""
    found = Knobs()
    effort = _think(wanted, found)
    _sample(wanted, found)
    form = _form(wanted, found)
    if effort is not None or form is not None:
        found.output_config = OutputConfig(effort, form)
    return found


def _think(wanted: Wanted, found: Knobs) -> str | None:
    """Set `thinking` and return the effort to send, if any."""
    asked, traits = wanted.asked, wanted.traits
    effort = asked.reasoning_effort
    if wanted.thinking is not None:
        found.thinking = wanted.thinking
        by_budget = b'"budget_tokens"' in bytes(wanted.thinking)
        return None if effort is None or by_budget else _EFFORTS.get(effort)
    if effort is None:
        return None
    if effort == "none":
        if traits.always_thinks:
            found.lost.append("reasoning_effort")
        elif traits.thinking == "adaptive":
            found.thinking = Thinking("disabled")
        return None
    if traits.thinking == "adaptive":
        found.thinking = Thinking("adaptive", display="summarized" if traits.hides_thoughts else None)
        word = _EFFORTS.get(effort, "high")
        return "high" if word == "xhigh" and not traits.very_high_effort else word
    budget = min(_BUDGETS.get(effort, _BUDGETS["high"]), wanted.max_tokens // 2)
    if traits.thinking == "none" or budget < _THINKING_MIN_TOKENS or _thinking_is_barred(wanted):
        found.lost.append("reasoning_effort")
    else:
        found.thinking = Thinking("enabled", budget)
    return None


def _thinking_is_barred(wanted: Wanted) -> bool:
    """Return whether a thinking budget would be refused: with a forced tool, or after calls without signed thoughts."""
    forced = wanted.choice.name is not None or wanted.choice.mode == "required"
    return forced or has_unsigned_calls(wanted.asked.messages)


def _sample(wanted: Wanted, found: Knobs) -> None:
    asked, traits = wanted.asked, wanted.traits
    temperature, top_p, top_k = asked.temperature, asked.top_p, asked.top_k
    thinks = isinstance(found.thinking, Thinking) and found.thinking.type == "enabled"
    if temperature is not None and temperature > 1:
        temperature = 1.0
        found.lost.append("temperature")
    if not traits.sampling or thinks:
        if temperature not in {None, 1} and "temperature" not in found.lost:
            found.lost.append("temperature")
        if top_k is not None:
            found.lost.append("top_k")
        temperature, top_k = None, None
    if top_p == 1:
        top_p = None
    barred = not traits.sampling or (thinks and (top_p or 1) < _THINKING_TOP_P_MIN)
    if top_p is not None and (barred or (traits.one_sampling and temperature is not None)):
        found.lost.append("top_p")
        top_p = None
    found.temperature, found.top_p, found.top_k = temperature, top_p, top_k


def _form(wanted: Wanted, found: Knobs) -> OutputFormat | None:
    form = wanted.asked.response_format
    if form is None or form.type == "text":
        return None
    if form.type == "json_object":
        found.instruction = Block("text", text=JSON_ONLY)
        found.lost.append("response_format")
        return None
    if form.type != "json_schema" or form.json_schema is None:
        raise unsupported("response_format.type", NAME, f"it has no answers of type {form.type[:40]!r}")
    if not wanted.traits.structured:
        raise unsupported("response_format", NAME, "this model keeps to no schema")
    return OutputFormat("json_schema", form.json_schema.demanded)
