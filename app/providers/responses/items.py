"""The conversation, from the canonical form to the items of a Responses request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final, TypeAlias

import msgspec

from app.core.dialects.absent import given_in, is_given
from app.core.dialects.reasoning import RESPONSES_FORMAT
from app.core.dialects.responses import RESPONSES
from app.providers.canonical import conversation
from app.providers.canonical.chat_request import Called, Json, Piece, Turn
from app.providers.canonical.media import inline
from app.providers.canonical.unsupported import unsupported

Item: TypeAlias = Json | msgspec.Raw

NAME: Final = "The Responses API"


def items_of(turns: Sequence[Turn], lost: list[str]) -> list[Item]:
    """Translate the messages."""
    custom = {call.id for turn in turns for call in turn.tool_calls or () if call.custom is not None}
    return [item for place, turn in enumerate(turns) for item in _items(turn, f"messages[{place}]", custom, lost)]


def _items(turn: Turn, where: str, custom: set[str], lost: list[str]) -> Iterator[Item]:
    conversation.require_turn(turn, where, NAME)
    if turn.name and turn.role != "tool":
        lost.append("name")
    if turn.role == "tool":
        yield _output(turn, where, custom)
    elif turn.role == "assistant":
        yield from _answer(turn, where)
    else:
        content = turn.content if isinstance(turn.content, str) else _parts(turn.pieces(), where)
        yield {"type": "message", "role": turn.role, "content": content}


def _answer(turn: Turn, where: str) -> Iterator[Item]:
    yield from _reasoning(turn)
    own, said = [], []
    for index, piece in enumerate(turn.pieces()):
        if piece.dialect == RESPONSES:
            own.append(piece.block)
        elif piece.type == "refusal":
            said.append({"type": "refusal", "refusal": piece.refusal})
        elif piece.type == "text":
            said.append({"type": "output_text", "text": piece.text})
        else:
            raise unsupported(f"{where}.content[{index}].type", NAME, "an answer is text")
    if turn.refusal:
        said.append({"type": "refusal", "refusal": turn.refusal})
    if said:
        yield {"type": "message", "role": "assistant", "content": said}
    yield from own
    for index, call in enumerate(turn.tool_calls or ()):
        yield _call(call, f"{where}.tool_calls[{index}]")


def _reasoning(turn: Turn) -> Iterator[Item]:
    """Give back what the API encrypted; anybody else's reasoning would be refused, and is worth nothing to it."""
    own = [detail for detail in turn.reasoning_details or () if detail.format == RESPONSES_FORMAT]
    for item_id, details in groupby(own, lambda detail: detail.id):
        entries = list(details)
        hidden = next((detail.data for detail in entries if detail.data), None)
        if hidden is None:  # an item that is not kept there cannot be found by its id
            continue
        item: Json = {
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": text} for entry in entries if (text := entry.summary)],
            "encrypted_content": hidden,
        }
        if item_id is not None:
            item["id"] = item_id
        content = [{"type": "reasoning_text", "text": entry.text} for entry in entries if entry.text]
        yield {**item, "content": content} if content else item


def _call(call: Called, where: str) -> Item:
    if call.custom is not None:
        return {
            "type": "custom_tool_call",
            "call_id": call.id,
            "name": call.custom.name,
            "input": call.custom.input,
        }
    if call.function is None:
        raise unsupported(f"{where}.type", NAME, "it calls functions and custom tools")
    return {
        "type": "function_call",
        "call_id": call.id,
        "name": call.function.name,
        "arguments": call.function.arguments,
    }


def _output(turn: Turn, where: str, custom: set[str]) -> Item:
    call_id = conversation.answered(turn, where)
    kind = "custom_tool_call_output" if call_id in custom else "function_call_output"
    output = turn.content if isinstance(turn.content, str) else _parts(turn.pieces(), where)
    return {"type": kind, "call_id": call_id, "output": output or ""}


def _parts(pieces: Sequence[Piece], where: str) -> list[Item]:
    return [_part(piece, f"{where}.content[{index}]") for index, piece in enumerate(pieces)]


def _part(piece: Piece, where: str) -> Item:
    match piece.type:
        case "text":
            found: Json = {"type": "input_text", "text": piece.text}
        case "image_url" if piece.image_url is not None:
            inline(piece.image_url.url, f"{where}.image_url.url")  # for its refusal alone: the URL is sent as it is
            found = {
                "type": "input_image",
                "image_url": piece.image_url.url,
                "detail": piece.image_url.detail or "auto",
            }
        case "file" if piece.file is not None:
            found = {"type": "input_file", **given_in(msgspec.structs.asdict(piece.file))}
        case "input_audio" if piece.input_audio is not None:
            found = {"type": "input_audio", "input_audio": piece.input_audio}
        case _ if piece.dialect == RESPONSES:
            return piece.block
        case _:
            raise conversation.no_part(piece, where, NAME)
    if is_given(piece.prompt_cache_breakpoint):
        found["prompt_cache_breakpoint"] = piece.prompt_cache_breakpoint
    elif is_given(piece.cache_control):
        found["prompt_cache_breakpoint"] = {"mode": "explicit"}
    return found
