"""A chat request, from the canonical form to the body of `converse`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.dialects.absent import ABSENT, is_given
from app.providers.anthropic.knobs import JSON_ONLY, Knobs, Wanted, knobs_of
from app.providers.anthropic.traits import Traits
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
    SystemBlock,
    TextFormat,
    Tool,
    ToolChoice,
    ToolConfig,
    ToolSpec,
)
from app.providers.canonical import talk
from app.providers.canonical.asked import Asked, Body
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


def encode_chat(body: Body, model: str, traits: Traits | None) -> tuple[bytes, tuple[str, ...]]:
    """
    Return the body, and the names of the fields that it does without; `traits` are those of a Claude.

    Raises:
        GatewayError: UNSUPPORTED_FEATURE or INVALID_REQUEST, naming the part.
    """
    asked = body.asked
    require_one_choice(asked, NAME)
    lost = (*dropped(body.members, _CARRIED, NAME), *dropped_inside(asked, {"strict"}))
    caches = any(name in model for name in _CACHING)
    choice = read_choice(asked)
    knobs = _knobs(body, choice, model, traits)
    config = InferenceConfig(asked.most_tokens, knobs.temperature, knobs.top_p, tuple(asked.stops))
    told: tuple[SystemBlock, ...] = ()
    if asked.response_format is not None and asked.response_format.type == "json_object":
        told, lost = (SystemBlock(JSON_ONLY),), (*lost, "response_format")
    request = ConverseRequest(
        messages=messages_of(asked.messages, caches=caches),
        system=system_of(asked.messages, caches=caches) + told,
        inference_config=config if config != InferenceConfig() else None,
        tool_config=_tool_config(asked, choice, caches=caches),
        output_config=_output_config(asked),
        additional_model_request_fields=_model_fields(knobs, asked),
    )
    return with_extras(msgspec.json.encode(request), body.members.get(EXTRAS)), (*lost, *knobs.lost)


def _tool_config(asked: Asked, choice: Choice, *, caches: bool) -> ToolConfig | None:
    if choice.mode == "none":
        if any(turn.tool_calls for turn in asked.messages):
            raise unsupported(
                "tool_choice", NAME, "a conversation with tool calls needs its tools, which may be called"
            )
        return None
    tools = []
    for tool, function in talk.functions_in(asked.tools or (), choice.only, NAME):
        schema, about = InputSchema(talk.parameters_of(function)), function.description or None
        tools.append(Tool(ToolSpec(function.name, schema, about, function.strict or None)))
        if caches and is_given(tool.cache_control):
            tools.append(Tool(cache_point=CachePoint()))
    if not tools:
        return None
    chosen = ToolChoice(tool=NamedTool(choice.name)) if choice.name is not None else _MODES.get(choice.mode or "")
    return ToolConfig(tools, chosen)


def _output_config(asked: Asked) -> OutputConfig | None:
    form = asked.response_format
    if form is None or form.type in {"text", "json_object"}:
        return None
    if form.type != "json_schema" or form.json_schema is None:
        raise unsupported("response_format.type", NAME, f"it has no answers of type {form.type[:40]!r}")
    given = form.json_schema
    schema = JsonSchema(bytes(given.demanded).decode(), given.name, given.description)
    return OutputConfig(TextFormat("json_schema", Structure(schema)))


def _knobs(body: Body, choice: Choice, model: str, traits: Traits | None) -> Knobs:
    """Return sampling and thinking: for Claude as Anthropic's own API takes them, for others as far as they go."""
    asked, thinking = body.asked, body.members.get("thinking", ABSENT)
    effort = asked.reasoning_effort
    talk.require_effort(effort, _EFFORTS)
    if traits is not None:
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
