"""Events of OpenAI's dialect that are unfamiliar, empty or wrong, and how a stream must end."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import (
    BAD_UPSTREAM_REPLY,
    TARGET_BUSY,
    TARGET_FAILED,
    TARGET_MISCONFIGURED,
    TARGET_RATE_LIMITED,
    TARGET_UNAVAILABLE,
    GatewayError,
    Kind,
)
from app.core.model import StreamEvent, Weight
from app.providers.openai.codec import OpenAiCodec
from tests.support.calls import asking

CANARY = b"sk-CANARY-0123456789"
HELLO = b'data: {"choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":null}]}\n\n'
STOP = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
DEEP = b"[" * 100_000 + b"]" * 100_000


def events_of(*parts: bytes) -> list[StreamEvent]:
    """Decode a stream to its end."""
    decoder = OpenAiCodec().decoder(asking())
    events = [event for part in parts for event in decoder.feed(part)]
    return events if decoder.done else events + decoder.end()


def failure_of(*parts: bytes) -> GatewayError:
    """Decode a stream that must fail."""
    with pytest.raises(GatewayError) as caught:
        events_of(*parts)
    return caught.value


@pytest.mark.parametrize(
    "data",
    [
        b'{"type":"some.future.event"}',
        b'{"choices":{"not":"a list"}}',
        b'{"choices":[{"delta":{"content":{"a":1}}}]}',
        b'{"choices":[{"delta":null}]}',
        b'{"choices":null,"error":null}',
        b'"text"',
        b"[]",
        b"17",
        b"null",
        b'{"usage":{"prompt_tokens":12345678901234567890123}}',
    ],
)
def test_forwards_events_it_does_not_know(data: bytes) -> None:
    """An event in valid JSON of any form reaches the client byte for byte."""
    frame = b"data: " + data + b"\n\n"

    events = events_of(HELLO, frame, STOP, DONE)

    assert [event.frame for event in events] == [HELLO, frame, STOP, DONE]


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"{} {}",
        b"DONE",
        b"<html>",
        b'{"a":"\xff"}',
        b'{"choices":[{"delta":{"content":"\xc3"}}]}',
        b'{"\xff":1}',
        b'{"a":NaN}',
        DEEP,
        b'{"x":' + DEEP + b"}",
        b'{"choices":' + DEEP + b"}",
    ],
    ids=lambda data: data[:24],
)
def test_refuses_events_that_clients_cannot_read(data: bytes) -> None:
    """An event that is not JSON in UTF-8 ends the stream, because it would crash the client's SDK."""
    error = failure_of(HELLO, b"data: " + data + b"\n\n", STOP, DONE)

    assert error.kind is BAD_UPSTREAM_REPLY


@pytest.mark.parametrize("frame", [b"data:\n\n", b"data: \n\n", b"data\n\n", b"event: ping\ndata:\n\n"])
def test_drops_events_without_content(frame: bytes) -> None:
    """An empty `data:`, which some proxies send to keep a connection alive, neither breaks a stream nor goes out."""
    events = events_of(HELLO, frame, STOP, DONE)

    assert [event.frame for event in events] == [HELLO, STOP, DONE]


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (b'id: 1\nevent: x\ndata: {"a":1}\n\n', b'data: {"a":1}\n\n'),
        (b'data:{"a":1}\n\n', b'data: {"a":1}\n\n'),
        (b'data: {"a":1}\r\n\r\n', b'data: {"a":1}\n\n'),
        (b'data: {"a":\ndata: 1}\n\n', b'data: {"a": 1}\n\n'),
        (b': note\nretry: 3\ndata: {"a":1}\n\n', b'data: {"a":1}\n\n'),
    ],
)
def test_forwards_only_plain_frames(frame: bytes, expected: bytes) -> None:
    """Of a frame with more than one line of data the client sees the data alone, since the rest breaks SDKs."""
    events = events_of(frame, STOP, DONE)

    assert events[0].frame == expected


@pytest.mark.parametrize(
    ("delta", "weight"),
    [
        (b"{}", Weight.NOTHING),
        (b'{"role":"assistant"}', Weight.NOTHING),
        (b'{"role":"assistant","content":""}', Weight.NOTHING),
        (b'{"content":null,"refusal":null,"tool_calls":null}', Weight.NOTHING),
        (b'{"tool_calls":[]}', Weight.NOTHING),
        (b'{"reasoning_content":"x"}', Weight.THOUGHT),
        (b'{"reasoning":"x"}', Weight.THOUGHT),
        (b'{"reasoning":"x","content":"y"}', Weight.ANSWER),
        (b'{"content":" "}', Weight.ANSWER),
        (b'{"content":[{"type":"text","text":"x"}]}', Weight.ANSWER),
        (b'{"refusal":"x"}', Weight.ANSWER),
        (b'{"tool_calls":[{"index":0}]}', Weight.ANSWER),
        (b'{"function_call":{"name":"f"}}', Weight.ANSWER),
    ],
)
def test_weighs_events(delta: bytes, weight: Weight) -> None:
    """How much of an answer an event carries decides when a stream commits."""
    (event,) = OpenAiCodec().decoder(asking()).feed(b'data: {"choices":[{"delta":' + delta + b"}]}\n\n")

    assert event.weight is weight


@pytest.mark.parametrize("pad", [b"", b'"choices":[],', b'"choices":null,', b'"choices":"x","usage":1,'])
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (b'{"message":"slow down","code":429}', TARGET_RATE_LIMITED),
        (b'{"message":"' + CANARY + b'","type":"authentication_error"}', TARGET_MISCONFIGURED),
        (b'{"message":"busy","type":"overloaded_error"}', TARGET_BUSY),
        (b'{"message":"CUDA out of memory","type":"InternalServerError","code":500}', TARGET_FAILED),
        (b'"' + CANARY + b'"', TARGET_FAILED),
    ],
)
def test_an_error_event_is_an_error(pad: bytes, error: bytes, kind: Kind) -> None:
    """An event with an `error` member is a failure of its own kind, whatever else is in it."""
    failure = failure_of(HELLO, b"data: {" + pad + b'"error":' + error + b"}\n\n", STOP, DONE)

    assert failure.kind is kind
    assert CANARY.decode() not in failure.message + failure.suggestion


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (b"",),
        (HELLO,),
        (HELLO, STOP),
        (HELLO, DONE),
        (DONE,),
        (b": ping\n\n",),
        (b"<html>busy</html>",),
        (b'{"choices":[{"finish_reason":"stop"}]}',),
    ],
)
def test_a_stream_without_finish_and_done_has_failed(parts: tuple[bytes, ...]) -> None:
    """Only a finish reason followed by `[DONE]` makes a stream complete."""
    assert failure_of(*parts).kind is TARGET_UNAVAILABLE


@pytest.mark.parametrize("reason", [b'"stop"', b'"a_future_reason"'])
@pytest.mark.parametrize("usage", [b"null", b'{"prompt_tokens":null}', b'{"prompt_tokens":"9"}', b"7"])
def test_an_odd_usage_does_not_hide_the_finish(reason: bytes, usage: bytes) -> None:
    """A last chunk whose usage cannot be read still ends the answer."""
    last = b'data: {"choices":[{"delta":{},"finish_reason":' + reason + b'}],"usage":' + usage + b"}\n\n"

    events = events_of(HELLO, last, DONE)

    assert [event.frame for event in events] == [HELLO, last, DONE]


@pytest.mark.parametrize(
    "done", [DONE, b"data:[DONE]\n\n", b"data: [DONE]\r\n\r\n", b"id: 9\ndata: [DONE]\n\n", DONE[:-1]]
)
def test_says_done_in_one_way(done: bytes) -> None:
    """The client's `[DONE]` is always the plain frame, also where the stream lacks its last line end."""
    events = events_of(HELLO, STOP, done)

    assert (events[-1].frame, events[-1].done, events[-1].chunk) == (DONE, True, None)


@pytest.mark.parametrize("behind", [HELLO, DONE, b"data: not json\n\n", b'data: {"error":{}}\n\n', b"\xff\xfe", b"\n"])
@pytest.mark.parametrize("together", [True, False])
def test_nothing_counts_behind_done(behind: bytes, together: bool) -> None:
    """What follows `[DONE]` is neither read nor forwarded."""
    parts = (HELLO, STOP, DONE + behind) if together else (HELLO, STOP, DONE, behind)
    decoder = OpenAiCodec().decoder(asking())

    events = [event for part in parts for event in decoder.feed(part)]

    assert (decoder.done, [event.frame for event in events]) == (True, [HELLO, STOP, DONE])


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.binary(max_size=20), st.sampled_from([HELLO, STOP, b"data: ", b"\n\n", b"{}"])), max_size=8)
)
def test_reading_a_stream_is_total(parts: list[bytes]) -> None:
    """Whatever bytes come, a stream without its end fails as a gateway error."""
    error = failure_of(*parts)

    assert error.kind in {BAD_UPSTREAM_REPLY, TARGET_UNAVAILABLE}
