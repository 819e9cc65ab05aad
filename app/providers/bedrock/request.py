"""A chat request, from the canonical form to the body of `converse`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.absent import ABSENT, is_given
from app.core.errors import INVALID_REQUEST, GatewayError
from app.providers.bedrock.messages import NAME, messages_of, system_of
from app.providers.bedrock.wire import (
    ConverseRequest,
    Empty,
    InferenceConfig,
    InputSchema,
    JsonSchema,
    NamedTool,
    OutputConfig,
    Structure,
    TextFormat,
    Tool,
    ToolChoice,
    ToolConfig,
    ToolSpec,
)
from app.providers.canonical.asked import Asked, Body, Offered, OfferedFunction
from app.providers.canonical.choice import Choice, read_choice
from app.providers.canonical.losses import dropped, require_one_choice, unsupported, with_extras

EXTRAS: Final = "bedrock"  # the member of a body that holds what only this dialect knows
_CARRIED: Final = frozenset(
    {
        "max_tokens", "max_completion_tokens", "temperature", "top_p", "n", "stop", "tools", "tool_choice",
        "response_format", "reasoning_effort", "top_k", EXTRAS,
    }
)  # fmt: skip
# Tokens of thinking for each effort, for the models that take a number: the least is 1024, and it must leave room.
_BUDGETS: Final[Mapping[str, int]] = MappingProxyType(
    {"minimal": 1024, "low": 1024, "medium": 4096, "high": 16_384, "xhigh": 32_768, "max": 32_768}
)
_MODES: Final[Mapping[str, ToolChoice]] = MappingProxyType(
    {"auto": ToolChoice(auto=Empty()), "required": ToolChoice(any=Empty())}
)
_NO_SCHEMA = msgspec.Raw(b'{"type":"object","properties":{}}')


def encode_chat(body: Body, model: str) -> tuple[bytes, tuple[str, ...]]:
    """
    Return the body, and the names of the fields that it does without.

    Raises:
        GatewayError: UNSUPPORTED_FEATURE or INVALID_REQUEST, naming the part.
    """
    asked = body.asked
    require_one_choice(asked, NAME)
    lost = dropped(body.members, _CARRIED, NAME)
    config = InferenceConfig(asked.most_tokens, asked.temperature, asked.top_p, tuple(asked.stops))
    more, unknown = _model_fields(asked, model)
    request = ConverseRequest(
        messages=messages_of(asked.messages),
        system=system_of(asked.messages),
        inference_config=config if config != InferenceConfig() else None,
        tool_config=_tool_config(asked),
        output_config=_output_config(asked),
        additional_model_request_fields=msgspec.Raw(msgspec.json.encode(more)) if more else ABSENT,
    )
    return with_extras(msgspec.json.encode(request), body.members.get(EXTRAS)), lost + unknown


def _tool_config(asked: Asked) -> ToolConfig | None:
    choice = read_choice(asked)
    offered = asked.tools or ()
    if choice.mode == "none":
        if any(turn.tool_calls for turn in asked.messages):
            raise unsupported(
                "tool_choice", NAME, "a conversation with tool calls needs its tools, which may be called"
            )
        return None
    tools = [tool for index, given in enumerate(offered) if (tool := _tool(given, index, choice)) is not None]
    if not tools:
        return None
    chosen = ToolChoice(tool=NamedTool(choice.name)) if choice.name is not None else _MODES.get(choice.mode or "")
    return ToolConfig(tools, chosen)


def _tool(given: Offered, index: int, choice: Choice) -> Tool | None:
    if given.type != "function" or given.function is None:
        raise unsupported(f"tools[{index}].type", NAME, f"it takes functions, not {given.type[:40]!r}")
    function: OfferedFunction = given.function
    if choice.only is not None and function.name not in choice.only:
        return None
    schema = function.parameters if is_given(function.parameters) else _NO_SCHEMA
    return Tool(ToolSpec(function.name, InputSchema(schema), function.description or None, function.strict or None))


def _output_config(asked: Asked) -> OutputConfig | None:
    form = asked.response_format
    if form is None or form.type == "text":
        return None
    if form.type != "json_schema" or form.json_schema is None:
        raise unsupported("response_format", NAME, "it knows JSON with a schema only")
    given = form.json_schema
    schema = JsonSchema(bytes(given.schema).decode() or "{}", given.name, given.description)
    return OutputConfig(TextFormat("json_schema", Structure(schema)))


def _model_fields(asked: Asked, model: str) -> tuple[dict[str, object], tuple[str, ...]]:
    """Return what Converse hands on to the model as it is, and the names of what this model has no word for."""
    fields: dict[str, object] = {}
    unknown: Sequence[str] = ()
    if asked.top_k is not None:
        fields["top_k"] = asked.top_k
    effort = asked.reasoning_effort
    if effort in {None, "none"}:
        return fields, ()
    if effort not in _BUDGETS:
        message = f"'reasoning_effort' must be one of none, {', '.join(_BUDGETS)}."
        raise GatewayError(INVALID_REQUEST, message, param="reasoning_effort")
    if "anthropic." in model:
        fields["thinking"] = {"type": "enabled", "budget_tokens": _BUDGETS[effort]}
    elif "openai." in model:
        fields["reasoning_effort"] = effort
    else:
        unknown = ("reasoning_effort",)
    return fields, tuple(unknown)
