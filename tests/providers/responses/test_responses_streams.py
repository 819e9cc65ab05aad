"""
What streams of the Responses API come to, however the network cuts them.

The golden files are event streams in the words of the API; `NAME.chat.sse` is what a client of chat completions sees.
"""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from app.core.errors import GatewayError
from app.core.model import ChatRequest, Operation, PlainRequest, StreamEvent
from tests.providers.responses.test_responses_codec import GOLDEN, asked, codec
from tests.support.golden import agrees_as_text

STREAMS = GOLDEN / "streams"
ENDS = {"failed": "target_failed", "error": "target_rate_limited", "error-object": "target_busy"}
NAMES = sorted(path.name.removesuffix(".sse") for path in STREAMS.glob("*.sse") if ".chat." not in path.name)
ALL = pytest.mark.parametrize("name", NAMES)
USUAL = asked(stream=True, stream_options={"include_usage": True})


def decoded(parts: Iterable[bytes], request: ChatRequest = USUAL) -> tuple[list[StreamEvent], str | None]:
    """Return the events in `parts` and the code of the failure, if it ended in one."""
    decoder = codec().decoder(request)
    events: list[StreamEvent] = []
    try:
        for part in parts:
            events += decoder.feed(part)
        events += [] if decoder.done else decoder.end()
    except GatewayError as error:
        return events, error.kind.code
    return events, None


def sent(name: str) -> bytes:
    """Return the bytes of the provider."""
    return (STREAMS / f"{name}.sse").read_bytes()


@ALL
def test_means_what_was_recorded(name: str) -> None:
    """A client of chat completions sees chunks."""
    events, ended = decoded([sent(name)])

    agrees_as_text(STREAMS / f"{name}.chat.sse", b"".join([event.frame for event in events]))
    assert ended == ENDS.get(name)


@ALL
def test_keeps_the_original_frames(name: str) -> None:
    """A client of the same dialect sees each frame as it came, once."""
    events, _ = decoded([sent(name)])

    native = b"".join([event.native.raw for event in events if event.native is not None])
    assert all(event.native is not None for event in events)
    assert sent(name).startswith(native)
    assert name in ENDS or sent(name) == native


@ALL
def test_does_not_depend_on_the_cut(name: str) -> None:
    """Cut at any byte border, a stream gives the same events and ends in the same way."""
    raw = sent(name)
    expected, ended = decoded([bytes([byte]) for byte in raw])

    for cut in range(len(raw) + 1):
        events, end = decoded([raw[:cut], raw[cut:]])

        assert end == ended
        assert events == expected[: len(events)]
        assert ended is not None or len(events) == len(expected)


@ALL
def test_is_never_complete_before_its_end(name: str) -> None:
    """However early a stream breaks off, what is there of it is not taken for a whole answer."""
    raw = sent(name)
    end = raw.rfind(b"event: ") + 20 if name not in ENDS else len(raw)

    ends = {decoded([raw[:cut]])[1] for cut in range(0, end, 7)}

    assert None not in ends
    assert ends <= {"target_unavailable", "bad_upstream_reply", ENDS.get(name)}


def test_shows_the_usage_only_to_those_who_ask() -> None:
    """Observers are always told the usage; a client of chat completions must have asked for it."""
    events, _ = decoded([sent("text")], asked(stream=True))

    assert b'"usage"' not in b"".join([event.frame for event in events])
    assert any(event.chunk is not None and event.chunk.usage is not None for event in events)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b'data: {"type":"response.output_text.delta","delta":"x"}\n\n', "bad_upstream_reply"),
        (b'data: {"type":"response.function_call_arguments.delta","delta":"x"}\n\n', "bad_upstream_reply"),
        (b"data: no JSON\n\n", "bad_upstream_reply"),
        (b"data: {}\n\n", "bad_upstream_reply"),
        (b'data: {"type":"x","y":"\xff"}\n\n', "bad_upstream_reply"),
        (b'data: {"type":"response.failed"}\n\n', "target_failed"),
        (b'data: {"type":"error","error":[]}\n\n', "target_failed"),
    ],
    ids=lambda value: value[:60] if isinstance(value, bytes) else value,
)
def test_breaks_off_at_what_is_no_answer(raw: bytes, code: str) -> None:
    """Events that make no sense, and errors among them, end the stream with the failure that they are."""
    assert decoded([raw])[1] == code


@pytest.mark.parametrize("odd", [b"7", b"[7]", b'"x"', b"null"])
def test_odd_remarks_break_no_stream(odd: bytes) -> None:
    """An annotation only adds to a text: one of an unknown form is left out."""
    begins = b'data: {"type":"response.created","response":{"id":"r","model":"m"}}\n\n'
    remark = b'data: {"type":"response.output_text.annotation.added","annotation":%b}\n\n' % odd
    ends = b'data: {"type":"response.completed","response":{"status":"completed"}}\n\n'

    events, code = decoded([begins, remark, ends])

    assert code is None
    assert b"annotations" not in b"".join([event.frame for event in events])


def test_other_operations_are_streamed_as_ever() -> None:
    """What is no chat is read as at every other address of the provider."""
    request = PlainRequest(Operation.COMPLETIONS, "m", b"{}", stream=True)

    events = codec().decoder(request).feed(b'data: {"choices":[{"index":0,"text":"x","finish_reason":"stop"}]}\n\n')

    assert len(events) == 1
