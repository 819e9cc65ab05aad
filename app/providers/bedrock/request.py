"""A chat request, from the canonical form to the body of `converse`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.dialects.absent import ABSENT, given_in, is_given
from app.providers.anthropic.knobs import JSON_ONLY, Knobs, Wanted, knobs_of
from app.providers.anthropic.traits import Traits
from app.providers.bedrock.messages import NAME, marks, messages_of, system_of
from app.providers.canonical import conversation
from app.providers.canonical.chat_request import Asked, Body, Format, Json
from app.providers.canonical.tool_choice import Choice, read_choice
from app.providers.canonical.unsupported import USUAL, dropped, dropped_inside, require_one_choice, unsupported, written

EXTRAS: Final = "bedrock"  # the member of a body that holds what only this dialect knows
_CARRIED: Final = USUAL | {"thinking", EXTRAS}
_CACHING: Final = ("anthropic.", "amazon.nova")  # models that take cache points
_MODES: Final[Mapping[str, str]] = MappingProxyType({"auto": "auto", "required": "any"})


def encode_chat(body: Body, model: str, traits: Traits | None) -> tuple[bytes, tuple[str, ...]]:
    """Return the body, and the names of the fields that it does without; `traits` are those of a Claude."""
    asked = body.asked
    require_one_choice(asked, NAME)
    lost = (*dropped(body.members, _CARRIED, NAME), *dropped_inside(asked, {"strict"}))
    caches = any(name in model for name in _CACHING)
    choice = read_choice(asked)
    knobs = _knobs(body, choice, model, traits)
    system = system_of(asked.messages, caches=caches)
    if asked.response_format is not None and asked.response_format.type == "json_object":
        system, lost = [*system, {"text": JSON_ONLY}], (*lost, "response_format")
    config = {
        "maxTokens": asked.most_tokens,
        "temperature": knobs.temperature,
        "topP": knobs.top_p,
        "stopSequences": asked.stops or None,
    }
    request = {
        "messages": messages_of(asked.messages, caches=caches),
        "system": system or None,
        "inferenceConfig": given_in(config) or None,
        "toolConfig": _tool_config(asked, choice, caches=caches),
        "outputConfig": _output_config(asked.response_format),
        "additionalModelRequestFields": _model_fields(knobs, asked) or None,
    }
    return written(request, body.members.get(EXTRAS)), (*lost, *knobs.lost)


def _tool_config(asked: Asked, choice: Choice, *, caches: bool) -> Json | None:
    if choice.mode == "none":
        if any(turn.tool_calls for turn in asked.messages):
            raise unsupported(
                "tool_choice", NAME, "a conversation with tool calls needs its tools, which may be called"
            )
        return None
    tools: list[Json] = []
    for tool, function in conversation.functions_in(asked.tools or (), choice.only, NAME):
        more = {"description": function.description or None, "strict": function.strict or None}
        schema = {"json": conversation.parameters_of(function)}
        tools.append({"toolSpec": {"name": function.name, "inputSchema": schema, **given_in(more)}})
        tools += marks(tool.cache_control) if caches else []
    if not tools:
        return None
    mode = _MODES.get(choice.mode or "")
    chosen: Json | None = {mode: {}} if mode is not None else None
    if choice.name is not None:
        chosen = {"tool": {"name": choice.name}}
    return given_in({"tools": tools, "toolChoice": chosen})


def _output_config(form: Format | None) -> Json | None:
    if form is None or form.type in {"text", "json_object"}:
        return None
    if form.type != "json_schema" or form.json_schema is None:
        raise unsupported("response_format.type", NAME, f"it has no answers of type {form.type[:40]!r}")
    given = form.json_schema
    schema = {"schema": bytes(given.demanded).decode(), "name": given.name, "description": given.description}
    return {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": given_in(schema)}}}


def _knobs(body: Body, choice: Choice, model: str, traits: Traits | None) -> Knobs:
    """Return sampling and thinking: for Claude as Anthropic's own API takes them, for others as far as they go."""
    asked, thinking = body.asked, body.members.get("thinking", ABSENT)
    effort = asked.reasoning_effort
    conversation.require_effort(effort)
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


def _model_fields(knobs: Knobs, asked: Asked) -> Json:
    """Return what Converse hands on to the model as it is."""
    fields: Json = {"top_k": knobs.top_k, "thinking": knobs.thinking, "output_config": knobs.output_config}
    if asked.reasoning_effort not in {None, "none"} and not knobs.thinking and "reasoning_effort" not in knobs.lost:
        fields["reasoning_effort"] = asked.reasoning_effort
    return given_in(fields)
