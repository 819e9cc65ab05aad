"""The conversation, from the canonical form to Gemini's: contents, the system instruction, and their parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from app.providers.canonical import talk
from app.providers.canonical.asked import Called, Piece, Turn
from app.providers.canonical.losses import unsupported
from app.providers.canonical.media import audio_type, guessed_type, inline
from app.providers.gemini.wire import Blob, Content, FileData, FunctionCall, FunctionResponse, Part

NAME = "Gemini"
# What Gemini 3 takes in place of the signature of a call that another model made
# (https://ai.google.dev/gemini-api/docs/thought-signatures).
FOREIGN_SIGNATURE = "skip_thought_signature_validator"


class _Google(msgspec.Struct, frozen=True):
    thought_signature: str | None = None


class _Extra(msgspec.Struct, frozen=True):
    google: _Google = _Google()


def system_of(turns: Sequence[Turn]) -> Content | None:
    """Return the system instruction: every system message, wherever it stands, as Gemini has one place for them."""
    parts = [
        Part(text=piece.text) for turn in turns if turn.role in talk.SYSTEM for piece in turn.pieces() if piece.text
    ]
    return Content(parts) if parts else None


def contents_of(turns: Sequence[Turn], *, signed: bool) -> list[Content]:
    """
    Return the conversation; messages of one side that follow each other become one.

    Args:
        turns: The messages.

        signed: Whether the model demands a signature with each step's first function call.

    Raises:
        GatewayError: UNSUPPORTED_FEATURE or INVALID_REQUEST, naming the part.
    """
    names = {call.id: call.function.name for turn in turns for call in turn.tool_calls or () if call.function}
    contents: list[Content] = []
    for place, turn in enumerate(turns):
        if turn.role in talk.SYSTEM:
            continue
        where = f"messages[{place}]"
        role = "model" if turn.role == "assistant" else "user"
        parts = list(_result(turn, names, where) if turn.role == "tool" else _parts(turn, where, signed=signed))
        if not parts:
            continue
        if contents and contents[-1].role == role:
            contents[-1] = Content([*contents[-1].parts, *parts], role)
        else:
            contents.append(Content(parts, role))
    return contents


def _parts(turn: Turn, where: str, *, signed: bool) -> Iterator[Part]:
    talk.require_turn(turn, where, NAME)
    if turn.refusal:
        yield Part(text=turn.refusal)
    pieces = turn.pieces()
    signature = _signature(turn.extra_content) if turn.role == "assistant" else None
    for index, piece in enumerate(pieces):
        part = _part(piece, f"{where}.content[{index}]")
        yield msgspec.structs.replace(part, thought_signature=signature if piece is pieces[-1] else None)
    for index, call in enumerate(turn.tool_calls or ()):
        yield _call(call, f"{where}.tool_calls[{index}]", demanded=signed and index == 0)


def _part(piece: Piece, where: str) -> Part:
    match piece.type:
        case "text":
            return Part(text=piece.text)
        case "refusal":
            return Part(text=piece.refusal)
        case "image_url" if piece.image_url is not None:
            return _at(piece.image_url.url, f"{where}.image_url.url", "image/jpeg")
        case "input_audio" if piece.input_audio is not None:
            return Part(inline_data=Blob(audio_type(piece.input_audio.format), piece.input_audio.data))
        case "file" if piece.file is not None and piece.file.file_data is not None:
            return _at(piece.file.file_data, f"{where}.file.file_data", "application/pdf")
        case "file" if piece.file is not None and piece.file.file_url is not None:
            return _at(piece.file.file_url, f"{where}.file.file_url", "application/pdf")
        case "file":
            raise unsupported(f"{where}.file.file_id", NAME, "files of another provider are not there")
        case _:
            raise talk.no_part(piece, where, NAME)


def _at(url: str, param: str, otherwise: str) -> Part:
    held = inline(url, param)
    if held is not None:
        return Part(inline_data=Blob(held.media_type, held.base64))
    return Part(file_data=FileData(url, guessed_type(url, otherwise)))


def _call(call: Called, where: str, *, demanded: bool) -> Part:
    function = talk.function_in(call, where, NAME)
    signature = _signature(call.extra_content) or (FOREIGN_SIGNATURE if demanded else None)
    return Part(
        function_call=FunctionCall(function.name, talk.arguments_of(function, where)), thought_signature=signature
    )


def _signature(extra_content: msgspec.Raw) -> str | None:
    """Return the signature in the place where Google's compatible endpoint has it."""
    try:
        return msgspec.json.decode(extra_content, type=_Extra).google.thought_signature
    except msgspec.DecodeError:  # there is none, or somebody else's
        return None


def _result(turn: Turn, names: dict[str, str], where: str) -> Iterator[Part]:
    """Yield what a tool returned; what is no text, for which a result has no place, follows it."""
    name = names.get(turn.tool_call_id or "") or turn.name
    if not name:
        raise talk.no_call(where)
    text = turn.text()
    yield Part(function_response=FunctionResponse(name, _response(text, "error" if turn.is_error else "result")))
    for index, piece in enumerate(turn.pieces()):
        if piece.type != "text":
            yield _part(piece, f"{where}.content[{index}]")


def _response(text: str, member: str) -> msgspec.Raw:
    """Return the object that a result must be: itself if it is one, else one with this member."""
    return msgspec.Raw(text.encode() if talk.is_object(text) else msgspec.json.encode({member: text}))
