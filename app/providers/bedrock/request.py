"""A chat request, from the canonical form to the body of `converse`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.dialects.absent import ABSENT, is_given
from app.core.errors import INVALID_REQUEST, GatewayError
from app.providers.anthropic.knobs import Knobs, Wanted, knobs_of
from app.providers.anthropic.traits import traits_of
from app.providers.bedrock.messages import NAME, messages_of, system_of
from app.providers.bedrock.wire import (
    CachePoint,
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
from app.providers.canonical.losses import dropped, dropped_inside, require_one_choice, unsupported, with_extras

EXTRAS: Final = "bedrock"  # the member of a body that holds what only this dialect knows
_CARRIED: Final = frozenset(
    {
        "max_tokens", "max_completion_tokens", "temperature", "top_p", "n", "stop", "tools", "tool_choice",
        "response_format", "reasoning_effort", "thinking", "top_k", EXTRAS,
    }
)  # fmt: skip
_EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_CACHING: Final = ("anthropic.", "amazon.nova")  # models that take cache points
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
    lost = (*dropped(body.members, _CARRIED, NAME), *dropped_inside(asked, {"strict"}))
    caches = any(name in model for name in _CACHING)
    choice = read_choice(asked)
    knobs = _knobs(body, choice, model)
    config = InferenceConfig(asked.most_tokens, knobs.temperature, knobs.top_p, tuple(asked.stops))
    request = ConverseRequest(
        messages=messages_of(asked.messages, caches=caches),
        system=system_of(asked.messages, caches=caches),
        inference_config=config if config != InferenceConfig() else None,
        tool_config=_tool_config(asked, choice, caches=caches),
        output_config=_output_config(asked),
        additional_model_request_fields=_model_fields(knobs, asked),
    )
    return with_extras(msgspec.json.encode(request), body.members.get(EXTRAS)), (*lost, *knobs.lost)


def _tool_config(asked: Asked, choice: Choice, *, caches: bool) -> ToolConfig | None:
    offered = asked.tools or ()
    if choice.mode == "none":
        if any(turn.tool_calls for turn in asked.messages):
            raise unsupported(
                "tool_choice", NAME, "a conversation with tool calls needs its tools, which may be called"
            )
        return None
    tools = [tool for index, given in enumerate(offered) for tool in _tool(given, index, choice)]
    if not caches:
        tools = [tool for tool in tools if tool.tool_spec is not None]
    if not tools:
        return None
    chosen = ToolChoice(tool=NamedTool(choice.name)) if choice.name is not None else _MODES.get(choice.mode or "")
    return ToolConfig(tools, chosen)


def _tool(given: Offered, index: int, choice: Choice) -> Iterator[Tool]:
    if given.type != "function" or given.function is None:
        raise unsupported(f"tools[{index}].type", NAME, f"it takes functions, not {given.type[:40]!r}")
    function: OfferedFunction = given.function
    if choice.only is not None and function.name not in choice.only:
        return
    schema = function.parameters if is_given(function.parameters) else _NO_SCHEMA
    yield Tool(ToolSpec(function.name, InputSchema(schema), function.description or None, function.strict or None))
    if is_given(given.cache_control):
        yield Tool(cache_point=CachePoint())


def _output_config(asked: Asked) -> OutputConfig | None:
    form = asked.response_format
    if form is None or form.type == "text":
        return None
    if form.type != "json_schema" or form.json_schema is None:
        raise unsupported("response_format", NAME, "it knows JSON with a schema only")
    given = form.json_schema
    schema = JsonSchema(bytes(given.schema).decode() or "{}", given.name, given.description)
    return OutputConfig(TextFormat("json_schema", Structure(schema)))


def _knobs(body: Body, choice: Choice, model: str) -> Knobs:
    """Return sampling and thinking: for Claude as Anthropic's own API takes them, for others as far as they go."""
    asked, thinking = body.asked, body.members.get("thinking", ABSENT)
    effort = asked.reasoning_effort
    if effort is not None and effort not in _EFFORTS:
        message = f"'reasoning_effort' must be one of {', '.join(_EFFORTS)}."
        raise GatewayError(INVALID_REQUEST, message, param="reasoning_effort")
    if "anthropic." in model:
        traits = traits_of(model)
        bound = asked.most_tokens or traits.answer_max_tokens
        plain = msgspec.structs.replace(asked, response_format=None)  # Converse has its own place for it
        return knobs_of(Wanted(plain, choice, traits, bound, thinking if is_given(thinking) else None))
    knobs = Knobs(asked.temperature, asked.top_p, asked.top_k)
    if is_given(thinking):
        knobs.lost.append("thinking")
    if effort not in {None, "none"} and "openai." not in model:
        knobs.lost.append("reasoning_effort")
    return knobs


def _model_fields(knobs: Knobs, asked: Asked) -> msgspec.Raw:
    """Return what Converse hands on to the model as it is."""
    fields: dict[str, object] = {"top_k": knobs.top_k, "thinking": knobs.thinking, "output_config": knobs.output_config}
    if asked.reasoning_effort not in {None, "none"} and not fields["thinking"] and "reasoning_effort" not in knobs.lost:
        fields["reasoning_effort"] = asked.reasoning_effort
    given = {name: value for name, value in fields.items() if value is not None}
    return msgspec.Raw(msgspec.json.encode(given)) if given else ABSENT
