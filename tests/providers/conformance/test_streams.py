"""Streams through every codec: the same however they are cut, and never complete when they are not."""

from __future__ import annotations

import msgspec
import pytest

from app.core.errors import GatewayError
from app.core.model import StreamEvent
from tests.providers.conformance.corpus import (
    asked,
    decoded,
    frames,
    put_together,
    streamed,
)
from tests.providers.conformance.dialects import Dialect
from tests.providers.conformance.marks import (
    STREAMS,
    TRANSLATING,
    weight_of,
)


@STREAMS
def test_a_stream_may_be_cut_anywhere(dialect: Dialect, name: str) -> None:
    """However the bytes are cut, the same is sent to the client: in two at every place, and byte by byte."""
    data = b"".join(dialect.stream(name))
    whole = frames(streamed(dialect, [data]))

    for cut in range(1, len(data)):
        assert frames(streamed(dialect, [data[:cut], data[cut:]])) == whole, cut
    assert frames(streamed(dialect, [data[place : place + 1] for place in range(len(data))])) == whole


@STREAMS
def test_a_stream_that_stops_early_has_failed(dialect: Dialect, name: str) -> None:
    """Without its last events a stream is never taken for complete, at no border and not in the middle of an event."""
    pieces = dialect.stream(name)
    whole = put_together(streamed(dialect, pieces))

    for kept in range(len(pieces)):
        for part in (pieces[:kept], [*pieces[:kept], pieces[kept][: len(pieces[kept]) // 2]]):
            try:
                events = streamed(dialect, part)
            except GatewayError:
                continue
            assert put_together(events) == whole, f"complete after {kept} of {len(pieces)} events"


@STREAMS
def test_the_frames_are_what_every_client_reads(dialect: Dialect, name: str) -> None:
    """Frames are one `data` line each, the first of a choice has the role, the last is `[DONE]`, reasons come once."""
    events = streamed(dialect, dialect.stream(name))

    sent = [event.frame for event in events if event.frame]
    assert all(frame.startswith(b"data: ") and frame.index(b"\n") == len(frame) - 2 for frame in sent)
    assert sent[-1] == b"data: [DONE]\n\n"
    assert [event.done for event in events] == [False] * (len(events) - 1) + [True]
    roles: dict[int, list[bool]] = {}
    finishes: dict[int, list[str]] = {}
    for frame in sent[:-1]:
        for choice in msgspec.json.decode(frame[6:])["choices"]:
            roles.setdefault(choice["index"], []).append("role" in choice["delta"])
            finishes.setdefault(choice["index"], []).append(choice["finish_reason"])
    assert all(has == [True] + [False] * (len(has) - 1) for has in roles.values())
    assert all(reasons[-1] and not any(reasons[:-1]) for reasons in finishes.values())


@STREAMS
def test_the_meaning_is_that_of_the_frames(dialect: Dialect, name: str) -> None:
    """What observers are told of an event is what the client reads in its frame, and its weight is right."""
    for event in streamed(dialect, dialect.stream(name)):
        if event.chunk is None or not event.frame:
            continue
        shown = [choice["delta"] for choice in msgspec.json.decode(event.frame[6:])["choices"]]
        assert [delta.get("content") or "" for delta in shown] == [c.delta.content or "" for c in event.chunk.choices]
        assert event.weight is weight_of(event)


@pytest.mark.parametrize("name", ["text", "length", "tools", "reasoning"])
@TRANSLATING
def test_a_stream_says_what_the_whole_answer_says(dialect: Dialect, name: str) -> None:
    """A client that puts the pieces together has what another one gets whole."""
    message = msgspec.json.decode(decoded(dialect, dialect.answer(name)).raw)["choices"][0]

    one = put_together(streamed(dialect, dialect.stream(name)))[0]

    said = message["message"]
    assert one["text"] == (said["content"] or "")
    assert one["thoughts"] == (said.get("reasoning_content") or "")
    assert one["finish"] == message["finish_reason"]
    calls = said.get("tool_calls", [])
    assert [call["name"] for call in one["calls"].values()] == [call["function"]["name"] for call in calls]
    for streamed_call, call in zip(one["calls"].values(), calls, strict=True):
        assert streamed_call["id"]
        assert msgspec.json.decode(streamed_call["arguments"]) == msgspec.json.decode(call["function"]["arguments"])


@TRANSLATING
def test_nothing_follows_the_end(dialect: Dialect) -> None:
    """What a provider sends behind the end of its answer reaches nobody."""
    decoder = dialect.codec().decoder(asked(stream=True))
    pieces = dialect.stream("text")
    for piece in pieces:
        decoder.feed(piece)
    if not decoder.done:
        decoder.end()

    assert decoder.feed(pieces[1]) == [] or dialect.name == "gemini"  # which ends with its connection


@TRANSLATING
def test_events_of_other_calls_do_not_mix(dialect: Dialect) -> None:
    """Two streams at once do not know of each other."""
    codec, pieces = dialect.codec(), dialect.stream("tools")
    one, other = codec.decoder(asked(stream=True)), codec.decoder(asked(stream=True))
    events: list[list[StreamEvent]] = [[], []]

    for piece in pieces:
        events[0] += one.feed(piece)
        events[1] += other.feed(piece)
    events[0] += one.end() if not one.done else []
    events[1] += other.end() if not other.done else []

    assert [{key: {**call, "id": None} for key, call in put_together(each)[0]["calls"].items()} for each in events] == [
        {key: {**call, "id": None} for key, call in put_together(events[0])[0]["calls"].items()}
    ] * 2
