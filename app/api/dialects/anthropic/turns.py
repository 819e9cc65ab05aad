"""Translate the conversation of a Messages request to canonical messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, TypeAlias

import msgspec

from app.api.dialects.translated import simplest
from app.core.dialects.absent import given_in, is_given
from app.core.dialects.anthropic import ANTHROPIC, Block, MessagesBody, Source, Turn
from app.core.dialects.reasoning import CLAUDE_FORMAT, ReasoningDetail, restore_extras, unsealed
from app.core.errors import INVALID_REQUEST, GatewayError

Json: TypeAlias = dict[str, Any]
_ROLES = ("user", "assistant", "system")
_NESTED: Final = msgspec.json.Decoder(str | list[Block] | None)


class Originals:
    """The original bytes of blocks and tools that have no canonical form; parsed only on demand, which is rare."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def block(self, turn: int, index: int) -> msgspec.Raw:
        """Return a block of a message."""
        content = msgspec.json.decode(self._raw, type=_RawBody).messages[turn].content
        return content[index] if isinstance(content, list) else msgspec.Raw()

    def tool(self, index: int) -> msgspec.Raw:
        """Return a tool."""
        return msgspec.json.decode(self._raw, type=_RawBody).tools[index]


class _RawTurn(msgspec.Struct):
    content: str | list[msgspec.Raw]


class _RawBody(msgspec.Struct):
    messages: list[_RawTurn] = []
    tools: list[msgspec.Raw] = []


def messages_of(body: MessagesBody, originals: Originals) -> list[Json]:
    """
    Return the messages of a chat request.

    Raises:
        GatewayError: INVALID_REQUEST with `param`.
    """
    messages: list[Json] = []
    if body.system:
        texts = body.system if isinstance(body.system, str) else simplest([_text(block) for block in body.system])
        messages.append({"role": "system", "content": texts})
    for place, turn in enumerate(body.messages):
        if turn.role not in _ROLES:
            message = f"A message's role must be 'user', 'assistant' or 'system', not {turn.role[:40]!r}."
            raise GatewayError(INVALID_REQUEST, message, param=f"messages[{place}].role")
        if isinstance(turn.content, str):
            messages.append({"role": turn.role, "content": turn.content})
        elif turn.role == "assistant":
            messages.append(_assistant(turn.content, place, originals))
        else:
            messages += _user(turn, turn.content, place, originals)
    return messages


def _user(turn: Turn, blocks: Sequence[Block], place: int, originals: Originals) -> Iterator[Json]:
    """Yield the tool results, which must directly follow the calls, then the rest of the turn."""
    parts: list[Json] = []
    for index, block in enumerate(blocks):
        if block.type == "tool_result":
            yield _result(block, f"messages[{place}].content[{index}]")
        else:
            parts += _parts(block) or [_foreign(block, originals.block(place, index))]
    if parts:
        yield {"role": turn.role, "content": simplest(parts)}


def _assistant(blocks: Sequence[Block], place: int, originals: Originals) -> Json:
    parts: list[Json] = []
    calls: list[Json] = []
    thoughts: list[ReasoningDetail] = []
    for index, block in enumerate(blocks):
        match block.type:
            case "thinking":
                thoughts += _thought(block)
            case "redacted_thinking":
                hidden = ReasoningDetail("reasoning.encrypted", data=block.data, format=CLAUDE_FORMAT)
                restored = unsealed(block.data or "")
                thoughts += [hidden] if restored is None else restored
            case "tool_use":
                calls.append(_call(block))
            case _:
                parts += _parts(block) or [_foreign(block, originals.block(place, index))]
    message: Json = {"role": "assistant", "content": simplest(parts) if parts else None}
    if thoughts:
        message["reasoning_content"] = "".join([block.thinking or "" for block in blocks])
        message["reasoning_details"] = thoughts
    if calls:
        message["tool_calls"] = calls
    restore_extras(message)
    return message


def _thought(block: Block) -> list[ReasoningDetail]:
    if not block.signature:  # from a model that signs nothing: no provider accepts it as signed reasoning
        return [ReasoningDetail("reasoning.text", text=block.thinking)]
    signed = ReasoningDetail(
        "reasoning.text", text=block.thinking or "", signature=block.signature, format=CLAUDE_FORMAT
    )
    restored = unsealed(block.signature)
    return [signed] if restored is None else restored or [ReasoningDetail("reasoning.text", text=block.thinking)]


def _call(block: Block) -> Json:
    arguments = bytes(block.input).decode() or "{}"
    function = {"name": block.name or "", "arguments": arguments}
    return _marked({"id": block.id or "", "type": "function", "function": function}, block)


def _result(block: Block, where: str) -> Json:
    content = _nested(block.content, f"{where}.content")
    message: Json = {"role": "tool", "tool_call_id": block.tool_use_id or "", "content": content}
    if block.is_error:
        message["is_error"] = True
    return _marked(message, block)


def _nested(raw: msgspec.Raw, where: str) -> str | list[Json]:
    """Return the content of a tool result or a document: text, or nested parts."""
    if not bytes(raw):
        return ""
    try:
        content = _NESTED.decode(raw) or ""
        if isinstance(content, str):
            return content
        originals = msgspec.json.decode(raw, type=list[msgspec.Raw])
    except msgspec.ValidationError as error:
        raise GatewayError(INVALID_REQUEST, f"{where!r} must be text or a list of blocks.", param=where) from error
    pairs = zip(content, originals, strict=True)
    return simplest([part for block, own in pairs for part in _parts(block) or [_foreign(block, own)]])


def _parts(block: Block) -> list[Json]:
    """Return a block as content parts; an empty list if it has no canonical form."""
    if block.type == "text":
        return [_text(block)]
    source = _source(block) if block.type in {"image", "document"} else None
    if source is None:
        return []
    if block.type == "image":
        url = _address(source)
        return [_marked({"type": "image_url", "image_url": {"url": url}}, block)] if url else []
    return _document(block, source)


def _document(block: Block, source: Source) -> list[Json]:
    if source.type == "text":
        return [_marked({"type": "text", "text": _headed(block, source.data or "")}, block)]
    if source.type == "content":
        inner = _nested(source.content, "source.content")
        parts = [{"type": "text", "text": inner}] if isinstance(inner, str) else inner
        title = _headed(block, "")
        return [{"type": "text", "text": title}, *parts] if title else parts
    if source.type == "base64":
        file = {"filename": block.title or "document.pdf", "file_data": _address(source)}
    elif source.type == "url":
        file = {"filename": block.title, "file_url": source.url}
    elif source.type == "file":
        file = {"filename": block.title, "file_id": source.file_id}
    else:
        return []
    part: Json = {"type": "file", "file": given_in(file)}
    if block.context:
        part["context"] = block.context
    if bytes(block.citations):
        part["citations"] = block.citations
    return [_marked(part, block)]


def _headed(block: Block, text: str) -> str:
    return "\n".join(line for line in (block.title, block.context, text) if line)


def _source(block: Block) -> Source | None:
    try:
        return msgspec.json.decode(block.source, type=Source)
    except msgspec.DecodeError:
        return None


def _address(source: Source) -> str | None:
    if source.type == "base64":
        return f"data:{source.media_type};base64,{source.data}"
    return source.url


def _text(block: Block) -> Json:
    part: Json = {"type": "text", "text": block.text or ""}
    if is_given(block.citations):
        part["citations"] = block.citations
    return _marked(part, block)


def _foreign(block: Block, original: msgspec.Raw) -> Json:
    """Return a part that only Anthropic's codec can read; all other codecs refuse its type."""
    return {"type": block.type, "dialect": ANTHROPIC, "block": original}


def _marked(part: Json, block: Block) -> Json:
    if is_given(block.cache_control):
        part["cache_control"] = block.cache_control
    return part


def citations_wanted(turns: Iterable[Turn]) -> bool:
    """Return whether a document enables citations, which no other dialect supports."""
    return any(
        block.type == "document" and b'"enabled":true' in bytes(block.citations).replace(b" ", b"")
        for turn in turns
        if isinstance(turn.content, list)
        for block in turn.content
    )
