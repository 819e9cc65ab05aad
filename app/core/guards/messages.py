"""Change messages of a chat request, and leave every other byte of it alone."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from app.core.members import OBJECT
from app.core.model import ChatFields, ChatRequest, Message

_SYSTEM = ("system", "developer")


def with_system_note(request: ChatRequest, note: str, *, always: bool = False) -> ChatRequest:
    """
    Return the request with `note` behind its first system message.

    Without a system message the request stays as it is or, with `always`, gets one.
    """
    messages = request.fields.messages
    index = next((number for number, message in enumerate(messages) if message.role in _SYSTEM), None)
    if index is None:
        return _inserted(request, {"role": "system", "content": note.strip()}) if always else request
    return with_contents(request, {index: lambda text: text + note}, last_only=True)


def with_contents(
    request: ChatRequest, changes: dict[int, Callable[[str], str]], *, last_only: bool = False
) -> ChatRequest:
    """
    Return the request with the texts of some messages changed, by the number of the message.

    Of a message in parts every text changes or, with `last_only`, the last one.
    """
    body = OBJECT.decode(request.raw)
    messages = msgspec.json.decode(body["messages"], type=list[msgspec.Raw])
    for index, change in changes.items():
        fields = OBJECT.decode(messages[index])
        content = _changed(
            request.fields.messages[index], bytes(fields.get("content", b"")), change, last_only=last_only
        )
        if content is not None:
            messages[index] = msgspec.Raw(msgspec.json.encode({**fields, "content": msgspec.Raw(content)}))
    return _rebuilt(request, {**body, "messages": msgspec.Raw(msgspec.json.encode(messages))})


def _changed(message: Message, raw: bytes, change: Callable[[str], str], *, last_only: bool) -> bytes | None:
    if isinstance(message.content, str):
        return msgspec.json.encode(change(message.content))
    if not message.content:
        return None
    parts = msgspec.json.decode(raw, type=list[msgspec.Raw])
    texts = [number for number, part in enumerate(message.content) if part.text is not None]
    for number in texts[-1:] if last_only else texts:
        fields = OBJECT.decode(parts[number])
        text = msgspec.json.encode(change(message.content[number].text or ""))
        parts[number] = msgspec.Raw(msgspec.json.encode({**fields, "text": msgspec.Raw(text)}))
    return msgspec.json.encode(parts)


def _inserted(request: ChatRequest, message: dict[str, str]) -> ChatRequest:
    body = OBJECT.decode(request.raw)
    messages = msgspec.json.decode(body["messages"], type=list[msgspec.Raw])
    messages.insert(0, msgspec.Raw(msgspec.json.encode(message)))
    return _rebuilt(request, {**body, "messages": msgspec.Raw(msgspec.json.encode(messages))})


def _rebuilt(request: ChatRequest, body: dict[str, msgspec.Raw]) -> ChatRequest:
    raw = msgspec.json.encode(body)
    fields = msgspec.json.decode(raw, type=ChatFields)
    return msgspec.structs.replace(request, fields=fields, raw=raw, origin=None)
