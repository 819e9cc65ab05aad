"""The conversation, from the canonical form to Anthropic's: the system prompt, turns and their blocks."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

import msgspec

from app.core.dialects.absent import ABSENT, is_given, present
from app.core.dialects.anthropic import ANTHROPIC, Block, Source
from app.core.dialects.reasoning import CLAUDE_FORMAT
from app.core.errors import INVALID_REQUEST, GatewayError
from app.providers.canonical import conversation
from app.providers.canonical.chat_request import Called, InputFile, Json, Piece, Turn
from app.providers.canonical.media import inline
from app.providers.canonical.unsupported import unsupported

Content: TypeAlias = Block | msgspec.Raw

NAME: Final = "Anthropic"
_PICTURES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_UNFIT_FOR_IDS = re.compile(r"[^a-zA-Z0-9_-]")
_EPHEMERAL, _EPHEMERAL_LONG = msgspec.Raw(b'{"type":"ephemeral"}'), msgspec.Raw(b'{"type":"ephemeral","ttl":"1h"}')


class Conversation(msgspec.Struct):
    """
    A conversation as the API takes it: messages of one side that follow each other are one.

    `lost` names what it does without; `uploads` says that it refers to uploaded files, which need a beta header.
    """

    system: list[Content] = msgspec.field(default_factory=list)
    turns: list[Json] = msgspec.field(default_factory=list)
    lost: list[str] = msgspec.field(default_factory=list)
    uploads: bool = False


def conversation_of(turns: Sequence[Turn], *, late_system: bool) -> Conversation:
    """Translate the messages; without `late_system` those of the system in the middle join the system prompt."""
    found = Conversation()
    said: list[tuple[str, list[Content]]] = []
    for place, turn in enumerate(turns):
        where = f"messages[{place}]"
        conversation.require_turn(turn, where, NAME)
        if turn.name and turn.role != "tool":
            found.lost.append("name")
        role, content = _said(turn, where, found)
        if role == "system" and not (late_system and said and said[-1][0] == "user"):
            found.system += content
        elif content:
            said.append((role, content))
    joined = conversation.alternating(said)
    _trim(joined)
    found.turns = [{"role": role, "content": content} for role, content in joined]
    return found


def has_unsigned_calls(turns: Sequence[Turn]) -> bool:
    """Say whether the tools under way were called without a thought that can be shown, which some models demand."""
    for turn in reversed(turns):
        if turn.role == "user":
            return False
        if turn.role == "assistant" and turn.tool_calls:
            return not any(detail.signature or detail.data for detail in turn.reasoning_details or ())
    return False


def _said(turn: Turn, where: str, found: Conversation) -> tuple[str, list[Content]]:
    match turn.role:
        case "system" | "developer":
            return "system", [_text(piece, turn) for piece in turn.pieces() if piece.text]
        case "assistant":
            return "assistant", list(_answer(turn, where, found))
        case "tool":
            return "user", [_result(turn, where, found)]
        case _:
            return "user", list(_parts(turn, where, found))


def _trim(said: Sequence[tuple[str, list[Content]]]) -> None:
    """Take the white space off the end of an answer that shall be continued: the API refuses it."""
    if said and said[-1][0] == "assistant":
        content = said[-1][1]
        last = content[-1]
        if isinstance(last, Block) and last.text:
            content[-1] = msgspec.structs.replace(last, text=last.text.rstrip() or last.text)


def _parts(turn: Turn, where: str, found: Conversation) -> Iterator[Content]:
    for index, piece in enumerate(turn.pieces()):
        if piece.type != "text":
            yield _part(piece, f"{where}.content[{index}]", found)
        elif piece.text:  # an empty text is refused
            yield _text(piece, turn)


def _answer(turn: Turn, where: str, found: Conversation) -> Iterator[Content]:
    yield from _thoughts(turn)
    if turn.refusal:
        yield Block("text", text=turn.refusal)
    yield from _parts(turn, where, found)
    for index, call in enumerate(turn.tool_calls or ()):
        yield _use(call, f"{where}.tool_calls[{index}]")


def _thoughts(turn: Turn) -> Iterator[Block]:
    """Give back what Claude signed; anybody else's reasoning would be refused, and is worth nothing to the model."""
    for detail in turn.reasoning_details or ():
        if detail.format not in {CLAUDE_FORMAT, None}:
            continue
        if detail.data:
            yield Block("redacted_thinking", data=detail.data)
        elif detail.signature:
            yield Block("thinking", thinking=detail.text or "", signature=detail.signature)


def _text(piece: Piece, turn: Turn) -> Block:
    mark = _mark(piece) or (present(turn.cache_control) if isinstance(turn.content, str) else ABSENT)
    citations = piece.citations if bytes(piece.citations).startswith(b"[") else ABSENT
    return Block("text", text=piece.text, citations=citations, cache_control=mark)


def _part(piece: Piece, where: str, found: Conversation) -> Content:
    mark = _mark(piece) or ABSENT
    match piece.type:
        case "refusal":
            return Block("text", text=piece.refusal)
        case "image_url" if piece.image_url is not None:
            if piece.image_url.detail not in {None, "auto"}:
                found.lost.append("image_url.detail")
            return Block("image", source=_picture(piece.image_url.url, f"{where}.image_url.url"), cache_control=mark)
        case "file" if piece.file is not None:
            found.uploads |= piece.file.file_id is not None
            return _document(piece, piece.file, where)
        case _ if piece.dialect == ANTHROPIC:
            return piece.block
        case _:
            raise conversation.no_part(piece, where, NAME)


def _mark(piece: Piece) -> msgspec.Raw | None:
    """Return the end of a cached prefix, in Anthropic's words or in OpenAI's."""
    if is_given(piece.cache_control):
        return piece.cache_control
    if is_given(piece.prompt_cache_breakpoint):
        return _EPHEMERAL_LONG if b'"12h"' in bytes(piece.prompt_cache_breakpoint) else _EPHEMERAL
    return None


def _picture(url: str, param: str) -> msgspec.Raw:
    held = inline(url, param)
    if held is None:
        return _source(Source("url", url=url))
    kind = "image/jpeg" if held.media_type == "image/jpg" else held.media_type
    if kind not in _PICTURES:
        raise unsupported(param, NAME, f"it has no pictures of type {kind[:80]!r}")
    return _source(Source("base64", kind, held.base64))


def _document(piece: Piece, file: InputFile, where: str) -> Block:
    mark = _mark(piece) or ABSENT
    if file.file_data is not None:
        held = inline(file.file_data, f"{where}.file.file_data")
        kind, content = ("application/pdf", file.file_data) if held is None else held
        if kind in _PICTURES:
            return Block("image", source=_source(Source("base64", kind, content)), cache_control=mark)
        source = _inline_document(kind, content, f"{where}.file.file_data")
    elif file.file_url is not None:
        source = Source("url", url=file.file_url)
    else:
        source = Source("file", file_id=file.file_id)
    return Block(
        "document",
        source=_source(source),
        title=file.filename,
        context=piece.context,
        citations=present(piece.citations),
        cache_control=mark,
    )


def _inline_document(kind: str, content: str, param: str) -> Source:
    if kind == "application/pdf":
        return Source("base64", kind, content)
    if not kind.startswith("text/"):
        raise unsupported(param, NAME, f"it has no documents of type {kind[:80]!r}")
    try:
        return Source("text", "text/plain", b64decode(content, validate=True).decode())
    except ValueError as error:
        raise GatewayError(INVALID_REQUEST, f"{param!r} holds no text in UTF-8 as base64.", param=param) from error


def _source(source: Source) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(source))


def _use(call: Called, where: str) -> Block:
    function = conversation.function_in(call, where, NAME)
    return Block(
        "tool_use",
        id=_id(call.id),
        name=function.name,
        input=conversation.arguments_of(function, where),
        cache_control=present(call.cache_control),
    )


def _result(turn: Turn, where: str, found: Conversation) -> Block:
    call_id = conversation.answered(turn, where)
    content = ABSENT
    if isinstance(turn.content, str):
        content = msgspec.Raw(msgspec.json.encode(turn.content))
    elif turn.content:
        content = msgspec.Raw(msgspec.json.encode(list(_parts(turn, where, found))))
    return Block(
        "tool_result",
        tool_use_id=_id(call_id),
        content=content,
        is_error=turn.is_error or None,
        cache_control=present(turn.cache_control),
    )


def _id(given: str) -> str:
    """Return an id in the letters that the API takes; those of some other models have more."""
    return _UNFIT_FOR_IDS.sub("_", given)
