"""The conversation, from the canonical form to Converse's: messages and their blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.dialects.absent import given_in, is_given
from app.core.dialects.reasoning import CLAUDE_FORMAT
from app.providers.canonical import conversation
from app.providers.canonical.chat_request import Called, InputFile, Json, Piece, Thought, Turn
from app.providers.canonical.media import inline
from app.providers.canonical.unsupported import unsupported

NAME: Final = "Bedrock"
_DOCUMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "application/pdf": "pdf",
        "text/csv": "csv",
        "text/html": "html",
        "text/plain": "txt",
        "text/markdown": "md",
        "application/msword": "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
        "application/vnd.ms-excel": "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    }
)
_PICTURES: Final = frozenset({"png", "jpeg", "gif", "webp"})
_MARK: Final = "cachePoint"  # the member that ends a prefix worth caching
_UNFIT_FOR_NAMES = re.compile(r"[^A-Za-z0-9 ()\[\]-]+")  # and no two spaces in a row, either


def system_of(turns: Sequence[Turn], *, caches: bool) -> list[Json]:
    """Return the system prompt: every system message, wherever it stands; see `messages_of`."""
    blocks: list[Json] = []
    for turn in turns:
        if turn.role in conversation.SYSTEM:
            for piece in turn.pieces():
                blocks += [{"text": piece.text}] if piece.text else []
                blocks += marks(piece.cache_control)
            blocks += marks(turn.cache_control)
    return [block for block in blocks if caches or _MARK not in block]


def messages_of(turns: Sequence[Turn], *, caches: bool) -> list[Json]:
    """
    Return the conversation; messages of one side that follow each other become one, as Converse wants it.

    Models that do not cache prefixes where they are told to (`caches`) refuse to be told.
    """
    said: list[tuple[str, list[Json]]] = []
    for place, turn in enumerate(turns):
        if turn.role not in conversation.SYSTEM:
            blocks = [block for block in _blocks(turn, f"messages[{place}]") if caches or _MARK not in block]
            said.append(("assistant" if turn.role == "assistant" else "user", blocks))
    return [{"role": role, "content": blocks} for role, blocks in conversation.alternating(said)]


def marks(given: msgspec.Raw) -> list[Json]:
    """Return the end of a prefix that is worth caching, where the request has one."""
    return [{_MARK: {"type": "default"}}] if is_given(given) else []


def _blocks(turn: Turn, where: str) -> Iterator[Json]:
    if turn.role == "tool":
        yield _result(turn, where)
        given = [turn.cache_control, *[piece.cache_control for piece in turn.pieces()]]
        yield from [mark for each in given for mark in marks(each)][:1]  # inside there is no place for one
        return
    conversation.require_turn(turn, where, NAME)
    yield from _thoughts(turn.reasoning_details or ())
    if turn.refusal:
        yield {"text": turn.refusal}
    for index, piece in enumerate(turn.pieces()):
        if piece.type != "text" or piece.text:  # an empty text is refused
            yield _block(piece, f"{where}.content[{index}]")
            yield from marks(piece.cache_control)
    for index, call in enumerate(turn.tool_calls or ()):
        yield _use(call, f"{where}.tool_calls[{index}]")
        yield from marks(call.cache_control)
    yield from marks(turn.cache_control)


def _thoughts(thoughts: Sequence[Thought]) -> Iterator[Json]:
    """Give back what carries a signature; other reasoning would be refused, and is worth nothing to the model."""
    for thought in thoughts:
        if thought.format not in {CLAUDE_FORMAT, None}:
            continue
        if thought.type == "reasoning.encrypted" and thought.data:
            yield {"reasoningContent": {"redactedContent": thought.data}}
        elif thought.signature:
            signed = {"text": thought.text or "", "signature": thought.signature}
            yield {"reasoningContent": {"reasoningText": signed}}


def _block(piece: Piece, where: str) -> Json:
    match piece.type:
        case "text" | "refusal":
            return {"text": piece.text or piece.refusal}
        case "image_url" if piece.image_url is not None:
            return {"image": _picture(piece.image_url.url, f"{where}.image_url.url")}
        case "input_audio" if piece.input_audio is not None:
            return {"audio": _media(piece.input_audio.format, {"bytes": piece.input_audio.data})}
        case "file" if piece.file is not None and piece.file.file_data is not None:
            return {"document": _document(piece, piece.file, f"{where}.file.file_data")}
        case "file" if piece.file is not None and piece.file.file_url is not None:
            raise unsupported(f"{where}.file.file_url", NAME, "it takes documents as 'data:' URLs, and fetches none")
        case "file":
            raise unsupported(f"{where}.file.file_id", NAME, "files of another provider are not there")
        case _:
            raise conversation.no_part(piece, where, NAME)


def _media(form: str, source: Json) -> Json:
    return {"format": form, "source": source}


def _picture(url: str, param: str) -> Json:
    if url.startswith("s3://"):
        return _media(_picture_format(url.rpartition(".")[2].lower(), param), {"s3Location": {"uri": url}})
    held = inline(url, param)
    if held is None:
        raise unsupported(param, NAME, "it takes pictures as 'data:' or 's3:' URLs, and fetches none")
    return _media(_picture_format(held.media_type.removeprefix("image/"), param), {"bytes": held.base64})


def _picture_format(name: str, param: str) -> str:
    found = "jpeg" if name == "jpg" else name
    if found not in _PICTURES:
        raise unsupported(param, NAME, f"its pictures are {', '.join(sorted(_PICTURES))}")
    return found


def _document(piece: Piece, file: InputFile, param: str) -> Json:
    held = inline(file.file_data or "", param)
    if held is None:
        raise unsupported(param, NAME, "it takes documents as 'data:' URLs, and fetches none")
    form = _DOCUMENTS.get(held.media_type)
    if form is None:
        raise unsupported(param, NAME, f"it has no documents of type {held.media_type[:80]!r}")
    stem = (file.filename or "document").rpartition(".")[0] or file.filename or "document"
    name = " ".join(_UNFIT_FOR_NAMES.sub(" ", stem).split()) or "document"
    cited = b'"enabled":true' in bytes(piece.citations).replace(b" ", b"")
    about = {"context": piece.context, "citations": {"enabled": True} if cited else None}
    return {"format": form, "name": name, "source": {"bytes": held.base64}, **given_in(about)}


def _use(call: Called, where: str) -> Json:
    function = conversation.function_in(call, where, NAME)
    return {
        "toolUse": {"toolUseId": call.id, "name": function.name, "input": conversation.arguments_of(function, where)}
    }


def _result(turn: Turn, where: str) -> Json:
    call_id = conversation.answered(turn, where)
    blocks = [_result_block(piece, f"{where}.content[{index}]") for index, piece in enumerate(turn.pieces())]
    status = {"status": "error"} if turn.is_error else {}
    return {"toolResult": {"toolUseId": call_id, "content": blocks or [{"text": ""}], **status}}


def _result_block(piece: Piece, where: str) -> Json:
    if piece.type == "image_url" and piece.image_url is not None:
        return {"image": _picture(piece.image_url.url, f"{where}.image_url.url")}
    if piece.type != "text":
        raise conversation.no_part(piece, where, NAME)
    found = conversation.raw_object(piece.text)
    return {"text": piece.text} if found is None else {"json": found}
