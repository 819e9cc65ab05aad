"""A chat request, from the canonical form to the body of `POST /v2/chat`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.dialects.absent import ABSENT, given_in, present
from app.providers.canonical import conversation
from app.providers.canonical.chat_request import Body, Called, Format, Json, Piece, Turn
from app.providers.canonical.media import inline
from app.providers.canonical.tool_choice import read_choice
from app.providers.canonical.unsupported import USUAL, dropped, dropped_inside, require_one_choice, written

NAME: Final = "Cohere"
EXTRAS: Final = "cohere"  # the member of a body that holds what only this dialect knows
_CARRIED: Final = USUAL | {"seed", "frequency_penalty", "presence_penalty", EXTRAS}
# Tokens of thinking for each effort; Cohere has no words for it.
_BUDGETS: Final[Mapping[str, int]] = MappingProxyType(
    {"minimal": 512, "low": 1024, "medium": 4096, "high": 16_384, "xhigh": 31_000, "max": 31_000}
)
_MODES: Final[Mapping[str, str]] = MappingProxyType({"required": "REQUIRED", "none": "NONE"})


def encode_chat(body: Body, model: str) -> tuple[bytes, tuple[str, ...]]:
    """Return the body, and the names of the fields that it does without."""
    asked = body.asked
    require_one_choice(asked, NAME)
    lost = (*dropped(body.members, _CARRIED, NAME), *dropped_inside(asked, {"strict"}))
    choice = read_choice(asked)
    # Cohere can demand some call, but not a certain one: that one is then the only one it is offered.
    tools = conversation.openai_tools(asked.tools or (), choice.only if choice.name is None else {choice.name}, NAME)
    request = {
        "model": model,
        "messages": [_message(turn, f"messages[{place}]") for place, turn in enumerate(asked.messages)],
        "stream": asked.stream or None,
        "tools": tools or None,
        "tool_choice": "REQUIRED" if choice.name is not None else _MODES.get(choice.mode or "") if tools else None,
        "strict_tools": any(tool.function.strict for tool in asked.tools or () if tool.function is not None) or None,
        "response_format": _format(asked.response_format),
        "thinking": _thinking(asked.reasoning_effort),
        "max_tokens": asked.most_tokens,
        "stop_sequences": asked.stops or None,
        "temperature": asked.temperature,
        "p": asked.top_p,
        "k": asked.top_k,
        "seed": asked.seed,
        "frequency_penalty": asked.frequency_penalty,
        "presence_penalty": asked.presence_penalty,
    }
    return written(request, body.members.get(EXTRAS)), lost


def _message(turn: Turn, where: str) -> Json:
    conversation.require_turn(turn, where, NAME)
    parts = [_part(piece, f"{where}.content[{index}]") for index, piece in enumerate(turn.pieces())]
    if turn.role == "assistant" and turn.refusal:
        parts.append(_text(turn.refusal))
    plain = all(part["type"] == "text" for part in parts)
    content = "".join([part["text"] for part in parts]) if plain else parts
    calls = [_call(call, f"{where}.tool_calls[{index}]") for index, call in enumerate(turn.tool_calls or ())]
    message: Json = {"role": "system" if turn.role == "developer" else turn.role}
    if content or not calls:
        message["content"] = content
    if calls:
        message["tool_calls"] = calls
    if turn.role == "tool":
        message["tool_call_id"] = conversation.answered(turn, where)
    if calls and turn.reasoning_content:
        message["tool_plan"] = turn.reasoning_content  # sent back, as it led to the calls
    return message


def _part(piece: Piece, where: str) -> Json:
    match piece.type:
        case "text" | "refusal":
            return _text(piece.text or piece.refusal)
        case "image_url" if piece.image_url is not None:
            inline(piece.image_url.url, f"{where}.image_url.url")  # for its refusal alone: the URL is sent as it is
            return {"type": "image_url", "image_url": given_in(msgspec.structs.asdict(piece.image_url))}
        case _:
            raise conversation.no_part(piece, where, NAME)


def _text(text: str) -> Json:
    return {"type": "text", "text": text}


def _call(call: Called, where: str) -> Json:
    function = conversation.function_in(call, where, NAME)
    given = {"name": function.name, "arguments": function.arguments or "{}"}
    return {"id": call.id, "type": "function", "function": given}


def _format(given: Format | None) -> Json | None:
    if given is None or given.type == "text":
        return None
    schema = present(given.json_schema.schema) if given.json_schema is not None else ABSENT
    return given_in({"type": "json_object", "json_schema": schema})


def _thinking(effort: str | None) -> Json | None:
    conversation.require_effort(effort)
    if effort is None:
        return None
    return {"type": "disabled"} if effort == "none" else {"type": "enabled", "token_budget": _BUDGETS[effort]}
