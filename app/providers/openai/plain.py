"""
The operations of OpenAI's API that are no chat, and of every server that has them.

As with chat, bodies go through as they are with at most the model's name exchanged, and answers are read only for what
they took.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.call import Target
from app.core.errors import BAD_UPSTREAM_REPLY, GatewayError
from app.core.model import Chunk, ChunkChoice, Completion, Delta, Operation, PlainRequest, StreamEvent, Weight
from app.core.multipart import FORM, Form
from app.core.ports import Decoder, Encoded
from app.core.usage import Usage
from app.providers.canonical.decoding import UNREADABLE, Framed, broken_off, heard, require_text
from app.providers.openai.errors import error_in_answer
from app.providers.openai.events import NO_ERROR, ChunkDecoder
from app.providers.splice import replace_model
from app.providers.sse import SseFrame, SseFrames

# The member without which an answer is none. Transcripts may be plain text, and sound is anything.
_REQUIRED: Final[Mapping[Operation, str]] = MappingProxyType(
    {
        Operation.COMPLETIONS: "choices",
        Operation.EMBEDDINGS: "data",
        Operation.MODERATIONS: "results",
        Operation.RERANK: "results",
        Operation.IMAGES: "data",
    }
)
_JSON: Final = "application/json"
_ENDS: Final = (".done", ".completed")  # how the last event of a typed stream is called, as in `speech.audio.done`


class _Tokens(msgspec.Struct, frozen=True):
    """What a call took, under the names of chat completions or those of the newer endpoints."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None


class _Answer(msgspec.Struct, frozen=True):
    choices: msgspec.Raw = msgspec.Raw()
    data: msgspec.Raw = msgspec.Raw()
    results: msgspec.Raw = msgspec.Raw()
    usage: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


class _Ending(msgspec.Struct, frozen=True):
    finish_reason: str | None = None


class _TextChoice(msgspec.Struct, frozen=True):
    index: int = 0
    text: str | None = None
    finish_reason: str | None = None


class _TextChunk(msgspec.Struct, frozen=True):
    choices: list[_TextChoice] = []
    usage: Usage | None = None
    error: msgspec.Raw = msgspec.Raw()


class _Event(msgspec.Struct, frozen=True):
    type: str = ""
    usage: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


def encode_plain(request: PlainRequest, target: Target) -> Encoded:
    """Return the client's own body, with the model under the name the provider knows."""
    path = f"/{request.path or request.operation.value}"
    if request.media_type.lower().startswith(FORM):
        raw, rest = request.raw, request.upload
        if request.model != target.model:
            raw = Form(raw, request.media_type, begun=rest is not None).replaced("model", target.model)
        return Encoded(path, raw, (("content-type", request.media_type),), upload=rest)
    return Encoded(path, request.raw if request.model == target.model else replace_model(request.raw, target.model))


def decode_plain(body: bytes, request: PlainRequest) -> Completion:
    """Return the whole answer."""
    required = _REQUIRED.get(request.operation)
    if required is None and body.lstrip()[:1] != b"{":
        return Completion(body)
    try:
        require_text(body)
        answer = msgspec.json.decode(body, type=_Answer)
    except UNREADABLE as error:
        raise GatewayError(
            BAD_UPSTREAM_REPLY, f"The provider's answer is none to {request.operation.value}."
        ) from error
    if bytes(answer.error) not in NO_ERROR:
        raise error_in_answer(bytes(answer.error))
    if required is not None and not bytes(getattr(answer, required)).startswith(b"["):
        raise GatewayError(BAD_UPSTREAM_REPLY, f"The provider's answer holds no {required!r}.")
    return Completion(body, usage_of(answer.usage), _finish_reasons(answer.choices))


def plain_decoder(request: PlainRequest) -> Decoder:
    """Return a fresh decoder for one streamed answer: chunks of text, typed events, or sound."""
    if request.operation is Operation.COMPLETIONS:
        return ChunkDecoder(_read_text_chunk)
    if request.operation is Operation.SPEECH and b'"sse"' not in request.raw:
        return SoundDecoder()
    return TypedDecoder()


def usage_of(raw: msgspec.Raw) -> Usage | None:
    """Return the tokens that a call took; None where they were not counted, or cannot be read."""
    try:
        given = msgspec.json.decode(raw, type=_Tokens | None)
    except msgspec.DecodeError:  # nothing, or in other units, such as seconds
        return None
    if given is None:
        return None
    prompt = given.prompt_tokens if given.prompt_tokens is not None else given.input_tokens
    answer = given.completion_tokens if given.completion_tokens is not None else given.output_tokens
    if prompt is None and answer is None and given.total_tokens is None:
        return None
    answer = answer or 0
    total = given.total_tokens if given.total_tokens is not None else (prompt or 0) + answer
    return Usage(total - answer if prompt is None else prompt, answer, total)


class SoundDecoder:
    """Bytes that are passed on as they come; complete when the body is, whose length HTTP watches over."""

    def __init__(self) -> None:
        self.done = False

    def feed(self, data: bytes) -> list[StreamEvent]:
        """Take bytes as they arrive; see the port."""
        return [StreamEvent(data, None, Weight.ANSWER)]

    def end(self) -> list[StreamEvent]:
        """Take note of the end; see the port."""
        self.done = True
        return []


class TypedDecoder(Framed[SseFrame]):
    """
    Events with a `type`, as images, transcripts and speech are streamed.

    An answer is complete when the event came whose type says so; a `[DONE]` after it is no part of every such stream.
    """

    def __init__(self) -> None:
        super().__init__(SseFrames())
        self._finished = False

    def end(self) -> list[StreamEvent]:
        """Take note of the end; see the port."""
        events = self._events(self._frames.flush())
        if not self._finished:
            raise broken_off()
        self.done = True
        return events

    def _frame(self, frame: SseFrame) -> tuple[StreamEvent, ...]:
        return (self._event(frame),) if frame.data else ()

    def _event(self, frame: SseFrame) -> StreamEvent:
        if frame.data.rstrip() == b"[DONE]":
            return StreamEvent(frame.raw, None, Weight.ANSWER)
        event = heard(frame.data, _Event, "OpenAI's")
        if bytes(event.error) not in NO_ERROR:
            raise error_in_answer(bytes(event.error))
        self._finished |= event.type.endswith(_ENDS)
        return StreamEvent(frame.raw, Chunk([], usage_of(event.usage)), Weight.ANSWER)


def _finish_reasons(choices: msgspec.Raw) -> tuple[str, ...]:
    """Return why each choice of legacy completions ended; nothing of an answer without choices that can be read."""
    try:
        endings = msgspec.json.decode(choices, type=list[_Ending])
    except msgspec.DecodeError:
        return ()
    return tuple([ending.finish_reason for ending in endings if ending.finish_reason is not None])


def _read_text_chunk(data: bytes) -> Chunk:
    """Read a chunk of legacy completions, whose choices have `text` in place of `delta`."""
    given = msgspec.json.decode(data, type=_TextChunk)
    choices = [ChunkChoice(choice.index, Delta(content=choice.text), choice.finish_reason) for choice in given.choices]
    return Chunk(choices, given.usage, given.error)
