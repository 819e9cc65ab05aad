"""The conversation, from the canonical form to Gemini's: contents, the system instruction, and their parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from app.providers.canonical import conversation
from app.providers.canonical.chat_request import Called, Json, Piece, Turn
from app.providers.canonical.media import audio_type, guessed_type, inline
from app.providers.canonical.unsupported import unsupported

NAME: Final = "Gemini"
# What Gemini 3 takes in place of the signature of a call that another model made
# (https://ai.google.dev/gemini-api/docs/thought-signatures).
FOREIGN_SIGNATURE: Final = "skip_thought_signature_validator"


class _Google(msgspec.Struct, frozen=True):
    thought_signature: str | None = None


class _Extra(msgspec.Struct, frozen=True):
    google: _Google = _Google()


def system_of(turns: Sequence[Turn]) -> Json | None:
    """Return the system instruction: every system message, wherever it stands, as Gemini has one place for them."""
    pieces = [piece for turn in turns if turn.role in conversation.SYSTEM for piece in turn.pieces()]
    parts = [{"text": piece.text} for piece in pieces if piece.text]
    return {"parts": parts} if parts else None


def contents_of(turns: Sequence[Turn], *, signed: bool) -> list[Json]:
    """
    Return the conversation; messages of one side that follow each other become one.

    A model that wants them `signed` demands a signature with each step's first function call.
    """
    names = conversation.called_functions(turns)
    said: list[tuple[str, list[Json]]] = []
    for place, turn in enumerate(turns):
        where = f"messages[{place}]"
        if turn.role == "tool":
            said.append(("user", list(_result(turn, names, where))))
        elif turn.role not in conversation.SYSTEM:
            said.append(("model" if turn.role == "assistant" else "user", list(_parts(turn, where, signed=signed))))
    return [{"parts": parts, "role": role} for role, parts in conversation.alternating(said)]


def _parts(turn: Turn, where: str, *, signed: bool) -> Iterator[Json]:
    conversation.require_turn(turn, where, NAME)
    if turn.refusal:
        yield {"text": turn.refusal}
    pieces = turn.pieces()
    signature = _signature(turn.extra_content) if turn.role == "assistant" else None
    for index, piece in enumerate(pieces):
        part = _part(piece, f"{where}.content[{index}]")
        yield {**part, "thoughtSignature": signature} if signature and piece is pieces[-1] else part
    for index, call in enumerate(turn.tool_calls or ()):
        yield _call(call, f"{where}.tool_calls[{index}]", demanded=signed and index == 0)


def _part(piece: Piece, where: str) -> Json:
    match piece.type:
        case "text" | "refusal":
            return {"text": piece.text or piece.refusal}
        case "image_url" if piece.image_url is not None:
            return _at(piece.image_url.url, f"{where}.image_url.url", "image/jpeg")
        case "input_audio" if piece.input_audio is not None:
            return {"inlineData": {"mimeType": audio_type(piece.input_audio.format), "data": piece.input_audio.data}}
        case "file" if piece.file is not None and piece.file.file_data is not None:
            return _at(piece.file.file_data, f"{where}.file.file_data", "application/pdf")
        case "file" if piece.file is not None and piece.file.file_url is not None:
            return _at(piece.file.file_url, f"{where}.file.file_url", "application/pdf")
        case "file":
            raise unsupported(f"{where}.file.file_id", NAME, "files of another provider are not there")
        case _:
            raise conversation.no_part(piece, where, NAME)


def _at(url: str, param: str, otherwise: str) -> Json:
    held = inline(url, param)
    if held is not None:
        return {"inlineData": {"mimeType": held.media_type, "data": held.base64}}
    return {"fileData": {"fileUri": url, "mimeType": guessed_type(url, otherwise)}}


def _call(call: Called, where: str, *, demanded: bool) -> Json:
    function = conversation.function_in(call, where, NAME)
    given = {"name": function.name, "args": conversation.arguments_of(function, where)}
    signature = _signature(call.extra_content) or (FOREIGN_SIGNATURE if demanded else None)
    signed = {"thoughtSignature": signature} if signature else {}
    return {**signed, "functionCall": given}


def _signature(extra_content: msgspec.Raw) -> str | None:
    """Return the signature in the place where Google's compatible endpoint has it."""
    try:
        return msgspec.json.decode(extra_content, type=_Extra).google.thought_signature
    except msgspec.DecodeError:  # there is none, or somebody else's
        return None


def _result(turn: Turn, names: Mapping[str, str], where: str) -> Iterator[Json]:
    """Yield what a tool returned, which must be an object; what is no text follows it, as there is no place inside."""
    name = names.get(turn.tool_call_id or "") or turn.name
    if not name:
        raise conversation.no_call(where)
    text = turn.text()
    member = "error" if turn.is_error else "result"
    yield {"functionResponse": {"name": name, "response": conversation.raw_object(text) or {member: text}}}
    for index, piece in enumerate(turn.pieces()):
        if piece.type != "text":
            yield _part(piece, f"{where}.content[{index}]")
