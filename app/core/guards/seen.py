"""Extracts what guards check: texts of requests, with their sources, and of answers, whole or streamed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.guards.guard import Passage, Prompt, Said, Source
from app.core.model import ChatRequest, Completion, Delta, FunctionCall, Message, Part, Request
from app.core.stream import Batch

_SOURCES: Final[Mapping[str, Source]] = MappingProxyType(
    {"system": "system", "developer": "system", "assistant": "assistant", "tool": "tool", "function": "tool"}
)
_NOTHING_SAID: Final = Said((), (), (), ())
_DATA: Final = b"data:"


def prompt_of(request: Request, key: str = "") -> Prompt:
    """Return what guards see of a request; all texts of requests other than chats are the user's."""
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


class _Call(msgspec.Struct, frozen=True):
    function: FunctionCall | None = None


class _Part(msgspec.Struct, frozen=True):
    text: str | None = None


class _Message(msgspec.Struct, frozen=True):
    content: str | list[_Part] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_Call] | None = None
    function_call: FunctionCall | None = None


class _Choice(msgspec.Struct, frozen=True):
    message: _Message = _Message()
    text: str | None = None


class _Answer(msgspec.Struct, frozen=True):
    choices: list[_Choice] = []
    text: str | None = None  # of transcriptions


class _Typed(msgspec.Struct, frozen=True):
    delta: object = None


def said_in(completion: Completion, *, chat: bool = True) -> Said:
    """
    Return what guards see of a whole answer, to a chat or to any other request; nothing if it is not text.

    Raises:
        msgspec.DecodeError: It has an unknown form, and cannot be checked.
    """
    if completion.media_type.partition(";")[0].strip() != "application/json":
        return _NOTHING_SAID
    if not chat and not completion.raw.lstrip().startswith(b"{"):
        text = completion.raw.decode(errors="replace")  # a transcript may be nothing but its text
        return Said((text,), (text,), (), ())
    answer = msgspec.json.decode(completion.raw, type=_Answer)
    texts: list[str] = [] if answer.text is None else [answer.text]
    contents, tools, arguments = list(texts), [], []
    for choice in answer.choices:
        content = _content(choice)
        if content:
            contents.append(content)
        message = choice.message
        texts += [text for text in (content, message.refusal, message.reasoning_content, message.reasoning) if text]
        calls = [call.function for call in message.tool_calls or ()]
        for call in (*calls, message.function_call):
            if call is not None:
                tools.append(call.name or "")
                arguments.append(call.arguments or "")
    return Said(tuple(texts), tuple(contents), tuple(tools), tuple(arguments))


def _content(choice: _Choice) -> str:
    content = choice.message.content
    if isinstance(content, list):
        content = "".join([part.text or "" for part in content])
    return content or choice.text or ""


class Transcript:
    """Collects the texts and tool calls of a stream."""

    def __init__(self) -> None:
        self._texts: dict[tuple[int, str], list[str]] = {}
        self._tools: dict[tuple[int, int], list[str]] = {}
        self._arguments: dict[tuple[int, int], list[str]] = {}

    def hear(self, batch: Batch) -> None:
        """Add the events of a batch."""
        for event in batch:
            if event.chunk is not None:
                for choice in event.chunk.choices:
                    self._delta(choice.index, choice.delta)
                if not event.chunk.choices:
                    self._transcription(event.frame)

    def said(self) -> Said:
        """Return what guards see of the answer so far."""
        texts = {place: "".join(pieces) for place, pieces in self._texts.items()}
        contents = [text for (_, field), text in texts.items() if field == "content"]
        tools = ["".join(pieces) for pieces in self._tools.values()]
        arguments = ["".join(self._arguments.get(place, ())) for place in self._tools]
        return Said(tuple(texts.values()), tuple(contents), tuple(tools), tuple(arguments))

    def _delta(self, index: int, delta: Delta) -> None:
        for field, text in _texts(delta):
            self._texts.setdefault((index, field), []).append(text)
        for number, call in _calls(delta):
            place = index, number
            self._tools.setdefault(place, []).append(call[0])
            self._arguments.setdefault(place, []).append(call[1])

    def _transcription(self, frame: bytes) -> None:
        """Add a piece of a transcription, whose events have another form."""
        at = frame.find(_DATA)
        if at >= 0 and b'"delta"' in frame:
            piece = msgspec.json.decode(frame[at + len(_DATA) :], type=_Typed).delta
            if isinstance(piece, str):
                self._texts.setdefault((0, "content"), []).append(piece)


def _texts(delta: Delta) -> Iterator[tuple[str, str]]:
    if isinstance(delta.content, str):
        yield "content", delta.content
    elif delta.content:
        parts = [msgspec.json.decode(part, type=_Part).text for part in delta.content]
        yield "content", "".join([part for part in parts if part])
    for field, text in (("refusal", delta.refusal), ("reasoning", delta.reasoning_content or delta.reasoning)):
        if text:
            yield field, text


def _calls(delta: Delta) -> Iterator[tuple[int, tuple[str, str]]]:
    """Yield index, piece of the name and piece of the arguments of each tool call."""
    for call in delta.tool_calls or ():
        if call.function is not None:
            yield call.index, (call.function.name or "", call.function.arguments or "")
    if delta.function_call is not None:
        yield -1, (delta.function_call.name or "", delta.function_call.arguments or "")
