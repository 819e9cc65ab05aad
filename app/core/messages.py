"""Change the messages of a chat request, and leave every other byte of it alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from app.core.json_text import OBJECT
from app.core.model import ChatFields, ChatRequest, Message

_SYSTEM: Final = ("system", "developer")
_LIST: Final = msgspec.json.Decoder(list[msgspec.Raw])
_FIELDS: Final = msgspec.json.Decoder(ChatFields)


def messages_of(raw: bytes) -> list[msgspec.Raw]:
    """Return the messages of a chat body, each as it stands there."""
    return _LIST.decode(OBJECT.decode(raw)["messages"])


def with_messages(request: ChatRequest, messages: Sequence[object]) -> ChatRequest:
    """Return the request with other messages: `msgspec.Raw`, or whatever JSON can hold."""
    raw = msgspec.json.encode({**OBJECT.decode(request.raw), "messages": messages})
    return msgspec.structs.replace(request, fields=_FIELDS.decode(raw), raw=raw, origin=None)


def with_system_note(request: ChatRequest, note: str, *, always: bool = False) -> ChatRequest:
    """
    Return the request with `note` behind its first system message.

    Without a system message the request stays as it is or, with `always`, gets one.
    """
    messages = request.fields.messages
    index = next((number for number, message in enumerate(messages) if message.role in _SYSTEM), None)
    if index is not None:
        return with_contents(request, {index: lambda text: text + note}, last_only=True)
    if not always:
        return request
    return with_messages(request, [{"role": "system", "content": note.strip()}, *messages_of(request.raw)])


def with_contents(
    request: ChatRequest, changes: dict[int, Callable[[str], str]], *, last_only: bool = False
) -> ChatRequest:
    """
    Return the request with the texts of some messages changed, by the number of the message.

    Of a message in parts every text changes or, with `last_only`, the last one.
    """
    messages = messages_of(request.raw)
    for index, change in changes.items():
        members = OBJECT.decode(messages[index])
        content = _changed(request.fields.messages[index], members.get("content"), change, last_only=last_only)
        if content is not None:
            messages[index] = msgspec.Raw(msgspec.json.encode({**members, "content": content}))
    return with_messages(request, messages)


def _changed(message: Message, raw: msgspec.Raw | None, change: Callable[[str], str], *, last_only: bool) -> object:
    if isinstance(message.content, str):
        return change(message.content)
    if not message.content or raw is None:
        return None
    given = _LIST.decode(raw)
    parts: list[object] = [*given]
    texts = [(number, part.text) for number, part in enumerate(message.content) if part.text is not None]
    for number, text in texts[-1:] if last_only else texts:
        parts[number] = {**OBJECT.decode(given[number]), "text": change(text)}
    return parts
