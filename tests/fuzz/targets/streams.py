"""
Streamed answers: the bytes of a provider through every decoder, and their events through every front dialect.

However the bytes are cut, they mean the same; what goes out is an event stream again, whatever came in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from app.api.dialects.anthropic.dialect import MessagesDialect
from app.api.dialects.chat import ChatDialect
from app.api.dialects.generate import GenerateDialect
from app.api.dialects.responses.dialect import ResponsesDialect
from app.core.clock import SystemClock
from app.core.errors import GatewayError
from app.core.model import StreamEvent
from app.providers.sse import SseFrames
from tests.fuzz.targets.pieces import chosen, cut
from tests.fuzz.targets.target import Target
from tests.providers.conformance.corpus import asked
from tests.providers.conformance.dialects import DIALECTS as CODECS
from tests.support.calls import a_call

FRONTS = (ChatDialect(), GenerateDialect(), MessagesDialect(), ResponsesDialect())
ASKED = asked(stream=True)
Ending: TypeAlias = str | None


def one(data: bytes) -> None:
    """Read one stream, whole and in pieces, and write it for a client."""
    (codec, front, size), body = chosen(data, 3)
    in_pieces, ended = _decoded(codec, cut(body, size))
    at_once, ended_at_once = _decoded(codec, [body])
    assert ended in {None, ended_at_once}  # behind a proper end nothing is read, unless it came with it
    if ended is None and ended_at_once is None:
        assert [event.frame for event in in_pieces] == [event.frame for event in at_once]
    _write(front, in_pieces)


def _decoded(index: int, pieces: Sequence[bytes]) -> tuple[list[StreamEvent], Ending]:
    decoder = CODECS[index % len(CODECS)].codec().decoder(ASKED)
    events: list[StreamEvent] = []
    try:
        for piece in pieces:
            if decoder.done:
                break
            events += decoder.feed(piece)
        if not decoder.done:
            events += decoder.end()
    except GatewayError as error:
        return events, error.kind.code
    return events, None


def _write(front: int, events: list[StreamEvent]) -> None:
    style = FRONTS[front % len(FRONTS)].style(a_call(ASKED), SystemClock())
    try:
        sent = b"".join(style.part((event,)) for event in events)
    except GatewayError:
        return
    for frame in _frames(sent):
        if frame != b"[DONE]":
            msgspec.json.decode(frame)


def _frames(sent: bytes) -> list[bytes]:
    parser = SseFrames()
    return [frame.data for frame in [*parser.feed(sent), *parser.flush()]]


def _seeds() -> list[bytes]:
    return [
        bytes([index, front, 9]) + b"".join(codec.stream(name))
        for index, codec in enumerate(CODECS)
        for name in codec.streams()
        for front in range(len(FRONTS))
    ]


_OPENAI, _ANTHROPIC, _OLLAMA = 5, 0, 4

TARGET = Target(
    "streams",
    one,
    _seeds(),
    (
        (bytes([_OPENAI, 0, 1]), b"data: x", b""),
        (bytes([_OPENAI, 0, 9]), b": a\r\n", b"\n\n"),
        (bytes([_OPENAI, 0, 9]), b"data:\n", b"\n"),
        (bytes([_OPENAI, 2, 9]), b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n', b""),
        (bytes([_OPENAI, 3, 9]), b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n', b""),
        (bytes([_ANTHROPIC, 0, 9]), b"event: ping\ndata: {}\n\n", b""),
        (bytes([_OLLAMA, 0, 9]), b'{"message":{"content":"a"}}\n', b""),
        (bytes([_OLLAMA, 0, 1]), b" ", b""),
    ),
)
