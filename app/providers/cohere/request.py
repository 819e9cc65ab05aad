"""A chat request, from the canonical form to the body of `POST /v2/chat`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.dialects.absent import ABSENT, is_given, present
from app.core.errors import INVALID_REQUEST, GatewayError
from app.providers.canonical.asked import Asked, Body, Called, Format, Offered, Piece, Turn
from app.providers.canonical.choice import Choice, read_choice
from app.providers.canonical.losses import dropped, dropped_inside, require_one_choice, unsupported, with_extras
from app.providers.canonical.media import inline
from app.providers.cohere import wire

NAME: Final = "Cohere"
EXTRAS: Final = "cohere"  # the member of a body that holds what only this dialect knows
_CARRIED: Final = frozenset(
    {
        "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "n", "stop", "seed",
        "frequency_penalty", "presence_penalty", "tools", "tool_choice", "response_format", "reasoning_effort", EXTRAS,
    }
)  # fmt: skip
# Tokens of thinking for each effort; Cohere has no words for it.
_BUDGETS: Final[Mapping[str, int]] = MappingProxyType(
    {"minimal": 512, "low": 1024, "medium": 4096, "high": 16_384, "xhigh": 31_000, "max": 31_000}
)
_MODES: Final[Mapping[str, str]] = MappingProxyType({"required": "REQUIRED", "none": "NONE"})
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
    choice = read_choice(asked)
    tools = tuple(_tools(asked.tools or (), choice))
    request = wire.ChatRequest(
        model=model,
        messages=[_message(turn, f"messages[{place}]") for place, turn in enumerate(asked.messages)],
        stream=asked.stream or None,
        tools=tools,
        tool_choice="REQUIRED" if choice.name is not None else _MODES.get(choice.mode or "") if tools else None,
        strict_tools=any(tool.function.strict for tool in asked.tools or () if tool.function is not None) or None,
        response_format=_format(asked.response_format),
        thinking=_thinking(asked),
        max_tokens=asked.most_tokens,
        stop_sequences=tuple(asked.stops),
        temperature=asked.temperature,
        p=asked.top_p,
        k=asked.top_k,
        seed=asked.seed,
        frequency_penalty=asked.frequency_penalty,
        presence_penalty=asked.presence_penalty,
    )
    return with_extras(msgspec.json.encode(request), body.members.get(EXTRAS)), lost


def _message(turn: Turn, where: str) -> wire.Message:
    if turn.role not in {"system", "developer", "user", "assistant", "tool"}:
        raise unsupported(f"{where}.role", NAME, f"it has no role {turn.role[:40]!r}")
    if turn.role == "tool" and not turn.tool_call_id:
        message = "A tool message must answer a tool call of a message before it."
        raise GatewayError(INVALID_REQUEST, message, param=f"{where}.tool_call_id")
    if is_given(turn.audio):
        raise unsupported(f"{where}.audio", NAME, "it takes no recordings")
    role = "system" if turn.role == "developer" else turn.role
    pieces = turn.pieces()
    parts = [_part(piece, f"{where}.content[{index}]") for index, piece in enumerate(pieces)]
    if turn.role == "assistant" and turn.refusal:
        parts.append(wire.Part("text", turn.refusal))
    plain = all(part.type == "text" for part in parts)
    content: str | Sequence[wire.Part] | None = "".join([part.text or "" for part in parts]) if plain else parts
    calls = [_call(call, f"{where}.tool_calls[{index}]") for index, call in enumerate(turn.tool_calls or ())]
    if calls and not content:
        content = None
    plan = turn.reasoning_content if calls else None  # thoughts behind a call are sent back, as they led to it
    return wire.Message(role, content, tuple(calls), turn.tool_call_id if turn.role == "tool" else None, plan or None)


def _part(piece: Piece, where: str) -> wire.Part:
    match piece.type:
        case "text":
            return wire.Part("text", piece.text)
        case "refusal":
            return wire.Part("text", piece.refusal)
        case "image_url" if piece.image_url is not None:
            inline(piece.image_url.url, f"{where}.image_url.url")  # for its refusal alone: the URL is sent as it is
            return wire.Part("image_url", image_url=wire.ImageUrl(piece.image_url.url, piece.image_url.detail))
        case _:
            raise unsupported(f"{where}.type", NAME, f"it has no parts of type {piece.type[:40]!r}")


def _call(call: Called, where: str) -> wire.ToolCall:
    if call.function is None:
        raise unsupported(f"{where}.type", NAME, "it calls functions only")
    return wire.ToolCall(call.id, "function", wire.Function(call.function.name, call.function.arguments or "{}"))


def _tools(offered: Sequence[Offered], choice: Choice) -> Iterator[wire.Tool]:
    """Cohere can demand some call, but not a certain one: that one is then the only one it is offered."""
    for index, tool in enumerate(offered):
        if tool.type != "function" or tool.function is None:
            raise unsupported(f"tools[{index}].type", NAME, f"it takes functions, not {tool.type[:40]!r}")
        given = tool.function
        if choice.name not in {None, given.name} or (choice.only is not None and given.name not in choice.only):
            continue
        schema = given.parameters if is_given(given.parameters) else _NO_SCHEMA
        yield wire.Tool("function", wire.FunctionSpec(given.name, schema, given.description))


def _format(given: Format | None) -> wire.Format | None:
    if given is None or given.type == "text":
        return None
    schema = present(given.json_schema.schema) if given.json_schema is not None else ABSENT
    return wire.Format("json_object", schema)


def _thinking(asked: Asked) -> wire.Thinking | None:
    effort = asked.reasoning_effort
    if effort is None:
        return None
    if effort == "none":
        return wire.Thinking("disabled")
    if effort not in _BUDGETS:
        message = f"'reasoning_effort' must be one of none, {', '.join(_BUDGETS)}."
        raise GatewayError(INVALID_REQUEST, message, param="reasoning_effort")
    return wire.Thinking("enabled", _BUDGETS[effort])
