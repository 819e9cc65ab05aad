"""The conversation, from the canonical form to Converse's: messages and their blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.dialects.absent import ABSENT, is_given
from app.core.dialects.reasoning import CLAUDE_FORMAT
from app.providers.bedrock.wire import (
    Block,
    CachePoint,
    Document,
    Media,
    Message,
    Reasoning,
    ReasoningText,
    ResultBlock,
    S3Location,
    Source,
    SystemBlock,
    ToolResult,
    ToolUse,
    Wish,
)
from app.providers.canonical import talk
from app.providers.canonical.asked import Called, InputFile, Piece, Thought, Turn
from app.providers.canonical.losses import unsupported
from app.providers.canonical.media import inline

NAME = "Bedrock"
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
_MARK: Final = CachePoint()
_MARKED: Final = Block(cache_point=_MARK)
_UNFIT_FOR_NAMES = re.compile(r"[^A-Za-z0-9 ()\[\]-]+")  # and no two spaces in a row, either


def system_of(turns: Sequence[Turn], *, caches: bool) -> tuple[SystemBlock, ...]:
    """Return the system prompt: every system message, wherever it stands; see `messages_of`."""
    blocks: list[SystemBlock] = []
    for turn in turns:
        if turn.role in talk.SYSTEM:
            for piece in turn.pieces():
                blocks += [SystemBlock(piece.text)] if piece.text else ()
                blocks += [SystemBlock(cache_point=_MARK)] if caches and is_given(piece.cache_control) else ()
            blocks += [SystemBlock(cache_point=_MARK)] if caches and is_given(turn.cache_control) else ()
    return tuple(blocks)


def messages_of(turns: Sequence[Turn], *, caches: bool) -> list[Message]:
    """
    Return the conversation; messages of one side that follow each other become one, as Converse wants it.

    Args:
        turns: The messages.

        caches: Whether the model caches prefixes where it is told to; others refuse to be told.

    Raises:
        GatewayError: UNSUPPORTED_FEATURE or INVALID_REQUEST, naming the part.
    """
    messages: list[Message] = []
    for place, turn in enumerate(turns):
        if turn.role in talk.SYSTEM:
            continue
        role = "assistant" if turn.role == "assistant" else "user"
        blocks = [block for block in _blocks(turn, f"messages[{place}]") if caches or block is not _MARKED]
        if not blocks:
            continue
        if messages and messages[-1].role == role:
            messages[-1] = Message(role, [*messages[-1].content, *blocks])
        else:
            messages.append(Message(role, blocks))
    return messages


def _blocks(turn: Turn, where: str) -> Iterator[Block]:
    if turn.role == "tool":
        yield _result(turn, where)
        marks = [turn.cache_control, *[piece.cache_control for piece in turn.pieces()]]
        yield from _mark(next((mark for mark in marks if is_given(mark)), ABSENT))  # inside there is no place for one
        return
    talk.require_turn(turn, where, NAME)
    yield from _thoughts(turn.reasoning_details or ())
    if turn.refusal:
        yield Block(text=turn.refusal)
    for index, piece in enumerate(turn.pieces()):
        if piece.type != "text" or piece.text:  # an empty text is refused
            yield _block(piece, f"{where}.content[{index}]")
            yield from _mark(piece.cache_control)
    for index, call in enumerate(turn.tool_calls or ()):
        yield Block(tool_use=_use(call, f"{where}.tool_calls[{index}]"))
        yield from _mark(call.cache_control)
    yield from _mark(turn.cache_control)


def _mark(given: msgspec.Raw) -> Iterator[Block]:
    if is_given(given):
        yield _MARKED


def _thoughts(thoughts: Sequence[Thought]) -> Iterator[Block]:
    """Give back what carries a signature; other reasoning would be refused, and is worth nothing to the model."""
    for thought in thoughts:
        if thought.format not in {CLAUDE_FORMAT, None}:
            continue
        if thought.type == "reasoning.encrypted" and thought.data:
            yield Block(reasoning_content=Reasoning(redacted_content=thought.data))
        elif thought.signature:
            yield Block(reasoning_content=Reasoning(ReasoningText(thought.text or "", thought.signature)))


def _block(piece: Piece, where: str) -> Block:
    match piece.type:
        case "text":
            return Block(text=piece.text)
        case "refusal":
            return Block(text=piece.refusal)
        case "image_url" if piece.image_url is not None:
            return Block(image=_picture(piece.image_url.url, f"{where}.image_url.url"))
        case "input_audio" if piece.input_audio is not None:
            return Block(audio=Media(piece.input_audio.format, Source(bytes=piece.input_audio.data)))
        case "file" if piece.file is not None and piece.file.file_data is not None:
            return Block(document=_document(piece, piece.file, f"{where}.file.file_data"))
        case "file" if piece.file is not None and piece.file.file_url is not None:
            raise unsupported(f"{where}.file.file_url", NAME, "it takes documents as 'data:' URLs, and fetches none")
        case "file":
            raise unsupported(f"{where}.file.file_id", NAME, "files of another provider are not there")
        case _:
            raise talk.no_part(piece, where, NAME)


def _picture(url: str, param: str) -> Media:
    if url.startswith("s3://"):
        return Media(_picture_format(url.rpartition(".")[2].lower(), param), Source(s3_location=S3Location(url)))
    held = inline(url, param)
    if held is None:
        raise unsupported(param, NAME, "it takes pictures as 'data:' or 's3:' URLs, and fetches none")
    return Media(_picture_format(held.media_type.removeprefix("image/"), param), Source(bytes=held.base64))


def _picture_format(name: str, param: str) -> str:
    found = "jpeg" if name == "jpg" else name
    if found not in _PICTURES:
        raise unsupported(param, NAME, f"its pictures are {', '.join(sorted(_PICTURES))}")
    return found


def _document(piece: Piece, file: InputFile, param: str) -> Document:
    held = inline(file.file_data or "", param)
    if held is None:
        raise unsupported(param, NAME, "it takes documents as 'data:' URLs, and fetches none")
    form = _DOCUMENTS.get(held.media_type)
    if form is None:
        raise unsupported(param, NAME, f"it has no documents of type {held.media_type[:80]!r}")
    stem = (file.filename or "document").rpartition(".")[0] or file.filename or "document"
    name = " ".join(_UNFIT_FOR_NAMES.sub(" ", stem).split()) or "document"
    cited = Wish(enabled=True) if b'"enabled":true' in bytes(piece.citations).replace(b" ", b"") else None
    return Document(form, name, Source(bytes=held.base64), piece.context, cited)


def _use(call: Called, where: str) -> ToolUse:
    function = talk.function_in(call, where, NAME)
    return ToolUse(call.id, function.name, talk.arguments_of(function, where))


def _result(turn: Turn, where: str) -> Block:
    call_id = talk.answered(turn, where)
    blocks = [_result_block(piece, f"{where}.content[{index}]") for index, piece in enumerate(turn.pieces())]
    status = "error" if turn.is_error else None
    return Block(tool_result=ToolResult(call_id, blocks or [ResultBlock(text="")], status))


def _result_block(piece: Piece, where: str) -> ResultBlock:
    if piece.type == "image_url" and piece.image_url is not None:
        return ResultBlock(image=_picture(piece.image_url.url, f"{where}.image_url.url"))
    if piece.type != "text":
        raise talk.no_part(piece, where, NAME)
    return (
        ResultBlock(json=msgspec.Raw(piece.text.encode()))
        if talk.is_object(piece.text)
        else ResultBlock(text=piece.text)
    )
