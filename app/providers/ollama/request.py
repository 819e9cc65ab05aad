"""A chat request, from the canonical form to the body of `POST /api/chat`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.dialects.absent import given_in, is_given
from app.providers.canonical import conversation
from app.providers.canonical.chat_request import Asked, Body, Called, Format, Json, Piece, Turn
from app.providers.canonical.media import inline
from app.providers.canonical.tool_choice import read_choice
from app.providers.canonical.unsupported import USUAL, dropped, dropped_inside, require_one_choice, unsupported, written

NAME: Final = "Ollama"
EXTRAS: Final = "ollama"  # the member of a body that holds what only this dialect knows
_CARRIED: Final = USUAL | {"seed", "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs", EXTRAS}
# Most models know thinking only as on or off, and take every level for on.
_THINK: Final[Mapping[str, bool | str]] = MappingProxyType(
    {"none": False, "minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
)


def encode_chat(body: Body, model: str) -> tuple[bytes, tuple[str, ...]]:
    """Return the body, and the names of the fields that it does without."""
    asked = body.asked
    require_one_choice(asked, NAME)
    conversation.require_effort(asked.reasoning_effort)
    lost = (*dropped(body.members, _CARRIED, NAME), *dropped_inside(asked, frozenset()))
    choice = read_choice(asked)
    if choice.name is not None or choice.mode == "required":
        raise unsupported("tool_choice", NAME, "it cannot make a model call a tool")
    names = conversation.called_functions(asked.messages)
    request = {
        "model": model,
        "messages": [_message(turn, names, f"messages[{place}]") for place, turn in enumerate(asked.messages)],
        "stream": bool(asked.stream),  # which is true for those who do not say
        "tools": None
        if choice.mode == "none"
        else conversation.openai_tools(asked.tools or (), choice.only, NAME) or None,
        "format": _format(asked.response_format),
        "options": _options(asked) or None,
        "think": _THINK.get(asked.reasoning_effort or ""),
        "logprobs": asked.logprobs or None,
        "top_logprobs": asked.top_logprobs if asked.logprobs else None,
    }
    return written(request, body.members.get(EXTRAS)), lost


def _message(turn: Turn, names: Mapping[str, str], where: str) -> Json:
    conversation.require_turn(turn, where, NAME)
    texts, images = [turn.refusal] if turn.refusal else [], []
    for index, piece in enumerate(turn.pieces()):
        if piece.type == "image_url":
            images.append(_image(piece, f"{where}.content[{index}]"))
        elif piece.type in {"text", "refusal"}:
            texts.append(piece.text or piece.refusal)
        else:
            raise conversation.no_part(piece, f"{where}.content[{index}]", NAME)
    calls = [_call(call, f"{where}.tool_calls[{index}]") for index, call in enumerate(turn.tool_calls or ())]
    message: Json = {"role": "system" if turn.role == "developer" else turn.role, "content": "\n".join(texts)}
    if turn.role == "assistant" and turn.reasoning_content is not None:
        message["thinking"] = turn.reasoning_content
    if images:
        message["images"] = images
    if calls:
        message["tool_calls"] = calls
    if turn.role == "tool":
        answered = {"tool_name": names.get(turn.tool_call_id or "") or turn.name, "tool_call_id": turn.tool_call_id}
        message.update(given_in(answered))
    return message


def _image(piece: Piece, where: str) -> str:
    param = f"{where}.image_url.url"
    held = None if piece.image_url is None else inline(piece.image_url.url, param)
    if held is None:
        raise unsupported(param, NAME, "it takes pictures as 'data:' URLs, and fetches none")
    return held.base64


def _call(call: Called, where: str) -> Json:
    function = conversation.function_in(call, where, NAME)
    given = {"name": function.name, "arguments": conversation.arguments_of(function, where)}
    return {"function": given, "id": call.id} if call.id else {"function": given}


def _format(given: Format | None) -> msgspec.Raw | str | None:
    if given is None or given.type == "text":
        return None
    form = given.json_schema
    return form.schema if form is not None and is_given(form.schema) else "json"


def _options(asked: Asked) -> Json:
    options = {
        "temperature": asked.temperature,
        "top_p": asked.top_p,
        "top_k": asked.top_k,
        "num_predict": asked.most_tokens,
        "stop": asked.stops or None,
        "seed": asked.seed,
        "presence_penalty": asked.presence_penalty,
        "frequency_penalty": asked.frequency_penalty,
    }
    return given_in(options)
