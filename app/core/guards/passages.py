"""Take a request apart into the texts that guards look at, each with who wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

from app.core.guards.guard import Passage, Prompt, Source
from app.core.model import ChatRequest, Message, Part, Request

_SOURCES: Final[Mapping[str, Source]] = MappingProxyType(
    {"system": "system", "developer": "system", "assistant": "assistant", "tool": "tool", "function": "tool"}
)


def prompt_of(request: Request, key: str = "") -> Prompt:
    """Return what guards see of a request; every text of one that is no chat counts as its user's."""
    if isinstance(request, ChatRequest):
        passages = tuple(_of_messages(request.fields.messages))
        tools = tuple([tool.function.name for tool in request.fields.tools or () if tool.function is not None])
        return Prompt(request.operation, request.model, passages, tools, request, key)
    texts = tuple([Passage("user", text, "input") for text in request.text])
    return Prompt(request.operation, request.model, texts, (), request, key)


def _of_messages(messages: list[Message]) -> Iterator[Passage]:
    for index, message in enumerate(messages):
        source, path = _SOURCES.get(message.role, "user"), f"messages[{index}]"
        if isinstance(message.content, str):
            yield Passage(source, message.content, f"{path}.content")
        else:
            for number, part in enumerate(message.content or ()):
                yield from _of_part(part, source, f"{path}.content[{number}]")
        for number, call in enumerate(message.tool_calls or ()):
            if call.function is not None and call.function.arguments:
                where = f"{path}.tool_calls[{number}].function.arguments"
                yield Passage("assistant", call.function.arguments, where)


def _of_part(part: Part, source: Source, path: str) -> Iterator[Passage]:
    if part.text is not None:
        yield Passage(source, part.text, f"{path}.text")
    if part.refusal is not None:
        yield Passage(source, part.refusal, f"{path}.refusal")
