"""Take an answer apart into what guards look at, whole or from the events of a stream."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from app.core.guards.guard import Said
from app.core.model import Completion, Delta, StreamEvent
from app.core.stream import Batch

NOTHING_SAID = Said((), (), (), ())


class _Function(msgspec.Struct, frozen=True):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct, frozen=True):
    function: _Function | None = None


class _Part(msgspec.Struct, frozen=True):
    text: str | None = None


class _Message(msgspec.Struct, frozen=True):
    content: str | list[_Part] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None


class _Choice(msgspec.Struct, frozen=True):
    message: _Message = _Message()
    text: str | None = None


class _Answer(msgspec.Struct, frozen=True):
    choices: list[_Choice] = []
    text: str | None = None  # of a transcription


class _LegacyChoice(msgspec.Struct, frozen=True):
    index: int = 0
    text: str | None = None


class _LegacyChunk(msgspec.Struct, frozen=True):
    choices: list[_LegacyChoice] = []


def said_in(completion: Completion) -> Said:
    """
    Return what a whole answer says; nothing if it is no JSON or has no text.

    Raises:
        msgspec.DecodeError: It has a form that nobody knows, so nobody can judge it.
    """
    if completion.media_type.partition(";")[0].strip() != "application/json":
        return NOTHING_SAID
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


class Listening:
    """Collects what the events of a stream say."""

    def __init__(self) -> None:
        self._texts: dict[tuple[int, str], list[str]] = {}
        self._tools: dict[tuple[int, int], list[str]] = {}
        self._arguments: dict[tuple[int, int], list[str]] = {}

    def hear(self, batch: Batch) -> None:
        """Note what events say."""
        for event in batch:
            if event.chunk is not None:
                for choice in event.chunk.choices:
                    self._delta(choice.index, choice.delta)
                if b'"text"' in event.frame:
                    self._legacy(event)

    def said(self) -> Said:
        """Return what was said so far."""
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

    def _legacy(self, event: StreamEvent) -> None:
        chunk = msgspec.json.decode(event.frame[len(b"data: ") :], type=_LegacyChunk)
        for choice in chunk.choices:
            if choice.text:
                self._texts.setdefault((choice.index, "content"), []).append(choice.text)


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
    """Yield number, piece of the name and piece of the arguments of each call of a tool."""
    for call in delta.tool_calls or ():
        if call.function is not None:
            yield call.index, (call.function.name or "", call.function.arguments or "")
    if delta.function_call is not None:
        yield -1, (delta.function_call.name or "", delta.function_call.arguments or "")
