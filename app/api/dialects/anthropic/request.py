"""Translate a Messages request from Anthropic's format to the canonical one."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import msgspec

from app.api.dialects.anthropic.turns import Originals, citations_wanted, messages_of
from app.api.dialects.translated import chat_request
from app.core.bodies import decoded
from app.core.dialects.absent import given_in, is_given
from app.core.dialects.anthropic import ANTHROPIC, MessagesBody, OutputFormat, Tool, ToolChoice
from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.json_text import OBJECT
from app.core.model import ChatRequest, Native

Json: TypeAlias = dict[str, Any]
_BODY: Final = msgspec.json.Decoder(MessagesBody)
_TRANSLATED: Final = frozenset(MessagesBody.__struct_fields__) - {"thinking", "top_k"}
_TIERS: Final[Mapping[str, str]] = MappingProxyType({"auto": "auto", "standard_only": "default"})
_TOOL_CHOICES: Final[Mapping[str, str]] = MappingProxyType({"auto": "auto", "any": "required", "none": "none"})
_SAME: Final = ("max_tokens", "temperature", "top_p", "top_k", "stream")
_TOOL_EXTRAS: Final = ("cache_control", "defer_loading", "eager_input_streaming", "allowed_callers", "input_examples")
_EFFORTS: Final = ((4096, "low"), (16_384, "medium"))  # the effort for thinking budgets below this many tokens


def messages_request(raw: bytes, *, counting: bool = False) -> ChatRequest:
    """
    Return the request in its canonical form, with the client's own body as its origin.

    A request that only counts tokens needs no `max_tokens`.

    Raises:
        GatewayError: INVALID_JSON, or INVALID_REQUEST with `param`.
    """
    body, members = decoded(_BODY.decode, raw), OBJECT.decode(raw)
    if body.max_tokens is None and not counting:
        raise GatewayError(INVALID_REQUEST, "The field 'max_tokens' is missing.", param="max_tokens")
    form, originals = body.output_config.format if body.output_config is not None else None, Originals(raw)
    canonical: Json = {
        "model": body.model,
        "messages": messages_of(body, originals),
        **{name: getattr(body, name) for name in _SAME},
        "stream_options": {"include_usage": True} if body.stream else None,
        "stop": body.stop_sequences or None,
        "tools": [_tool(tool, index, originals) for index, tool in enumerate(body.tools or ())] or None,
        "user": body.metadata.user_id if body.metadata is not None else None,
        "service_tier": _TIERS.get(body.service_tier or ""),
        "citations": {"enabled": True} if citations_wanted(body.messages) else None,
        **_tool_choice(body.tool_choice),
        **_reasoning(body, members),
        **_form(form or body.output_format),
    }
    return chat_request(canonical, members, _TRANSLATED, Native(ANTHROPIC, raw))


def _tool(tool: Tool, index: int, originals: Originals) -> Json:
    if tool.type not in {None, "custom"}:
        return {"type": tool.type, "dialect": ANTHROPIC, "definition": originals.tool(index)}
    schema = tool.input_schema if bytes(tool.input_schema) else None
    function = {"name": tool.name, "description": tool.description, "parameters": schema, "strict": tool.strict}
    extras = {name: raw for name in _TOOL_EXTRAS if is_given(raw := getattr(tool, name))}
    return {"type": "function", "function": given_in(function), **extras}


def _tool_choice(choice: ToolChoice | None) -> Json:
    canonical: Json = {}
    if choice is None:
        return canonical
    if choice.type == "tool":
        canonical["tool_choice"] = {"type": "function", "function": {"name": choice.name or ""}}
    elif choice.type in _TOOL_CHOICES:
        canonical["tool_choice"] = _TOOL_CHOICES[choice.type]
    else:
        message = f"'tool_choice.type' must be 'auto', 'any', 'tool' or 'none', not {choice.type[:40]!r}."
        raise GatewayError(INVALID_REQUEST, message, param="tool_choice.type")
    if choice.disable_parallel_tool_use is not None:
        canonical["parallel_tool_calls"] = not choice.disable_parallel_tool_use
    return canonical


def _reasoning(body: MessagesBody, members: Mapping[str, msgspec.Raw]) -> Json:
    """Return the canonical `reasoning_effort`, and Anthropic's own `thinking` unchanged."""
    canonical: Json = {}
    thinking, effort = body.thinking, body.output_config.effort if body.output_config is not None else None
    if thinking is not None:
        canonical["thinking"] = members["thinking"]
        if thinking.budget_tokens is not None:
            canonical["reasoning_effort"] = _effort(thinking.budget_tokens)
    if effort is not None and (thinking is None or thinking.type != "disabled"):
        canonical["reasoning_effort"] = effort
    return canonical


def _form(form: OutputFormat | None) -> Json:
    if form is None or form.type != "json_schema":
        return {}
    schema = {"name": "answer", "schema": form.schema, "strict": True}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


def _effort(budget_tokens: int) -> str:
    return next((effort for less_than, effort in _EFFORTS if budget_tokens < less_than), "high")
