"""
What Anthropic's streams come to, however the network cuts them.

The golden files are event streams in the words of the API; `NAME.chat.sse` is what a client of OpenAI's form sees.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from app.core.errors import GatewayError
from app.core.model import ChatRequest, StreamEvent
from app.core.usage import Usage
from tests.providers.anthropic.test_anthropic_requests import asked, codec
from tests.support.golden import agrees_as_text

GOLDEN = Path(__file__).parents[1] / "golden/anthropic/streams"
ENDS = {"overloaded": "target_busy"}  # streams that end in a failure
NAMES = sorted(path.name.removesuffix(".sse") for path in GOLDEN.glob("*.sse") if ".chat." not in path.name)
ALL = pytest.mark.parametrize("name", NAMES)
USUAL = asked(stream=True, stream_options={"include_usage": True})
LETTERS = "NTA"  # nothing, thought, answer: one for each event


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
    return (GOLDEN / f"{name}.sse").read_bytes()


def usage_of(events: list[StreamEvent]) -> Usage | None:
    """Return the usage that was told."""
    found = [event.chunk.usage for event in events if event.chunk is not None and event.chunk.usage is not None]
    return found[-1] if found else None


def test_frames_without_data_are_left_out() -> None:
    """An empty `data:`, which some proxies send to keep a connection alive, does not break a stream."""
    name = NAMES[0]

    events, ended = decoded([b"data:\n\n", sent(name)])

    assert (events, ended) == decoded([sent(name)])


@ALL
def test_means_what_was_recorded(name: str) -> None:
    """A client of OpenAI's form sees OpenAI's chunks."""
    events, ended = decoded([sent(name)])

    agrees_as_text(GOLDEN / f"{name}.chat.sse", b"".join([event.frame for event in events]))
    assert ended == ENDS.get(name)


@ALL
def test_keeps_the_original_frames(name: str) -> None:
    """A client of the same dialect sees each frame as it came, by its name and once."""
    raw = sent(name)

    events, _ = decoded([raw])

    native = b"".join([event.native.raw for event in events if event.native is not None])
    assert all(event.native is not None for event in events)
    if name in {"compatible", "crlf"}:  # with comments or without names, no SDK would read them
        assert native.count(b"event: ") == raw.count(b"data: ")
        assert b"\r" not in native
    else:
        assert raw.startswith(native)
        assert name in ENDS or raw == native


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
    end = raw.rfind(b"message_stop") if name not in ENDS else len(raw)

    ends = {decoded([raw[:cut]])[1] for cut in range(end)}

    assert None not in ends
    assert ends <= {"target_unavailable", "bad_upstream_reply", ENDS.get(name)}


@pytest.mark.parametrize(
    ("name", "weights"),
    [("text", "NNNAANANA"), ("thinking", "NNTTNNNNNANANA"), ("tools", "NNANANAANANAANA"), ("web", "NNNNNNNNANANA")],
)
def test_weighs_events(name: str, weights: str) -> None:
    """Only what a reader would miss commits a stream."""
    events, _ = decoded([sent(name)])

    assert "".join(LETTERS[event.weight] for event in events) == weights


def test_tells_the_usage_of_the_last_event() -> None:
    """Counts that grow replace each other, and those of the cache are part of the prompt."""
    usage = usage_of(decoded([sent("cached")])[0])

    assert usage is not None
    assert (usage.prompt_tokens, usage.cached_tokens, usage.cache_write_tokens) == (2104, 2000, 100)
    assert (usage.completion_tokens, usage.total_tokens) == (15, 2119)


def test_shows_the_usage_only_to_those_who_ask() -> None:
    """Observers are always told the usage; a client of OpenAI's form must have asked for it."""
    events, _ = decoded([sent("text")], asked(stream=True))

    assert b'"usage"' not in b"".join([event.frame for event in events])
    assert usage_of(events) is not None


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b'event: x\ndata: {"type":"content_block_start","index":0}\n\n', "target_unavailable"),
        (
            b'data: {"type":"content_block_start","content_block":{"type":"tool_use"}}\n\n',
            "bad_upstream_reply",
        ),
        (b'data: {"type":"content_block_delta","index":3,"delta":{"type":"text_delta"}}\n\n', "bad_upstream_reply"),
        (b'data: {"type":"message_stop"}\n\n', "target_unavailable"),
        (b"data: no JSON\n\n", "bad_upstream_reply"),
        (b"data: {}\n\n", "bad_upstream_reply"),
        (b'data: {"type":"ping","x":"\xff"}\n\n', "bad_upstream_reply"),
        (b'data: {"type":"error"}\n\n', "target_failed"),
        (b'data: {"type":"error","error":{"type":"rate_limit_error","message":"x"}}\n\n', "target_rate_limited"),
    ],
    ids=lambda value: value[:60] if isinstance(value, bytes) else value,
)
def test_breaks_off_at_what_is_no_answer(raw: bytes, code: str) -> None:
    """Events that make no sense, and errors among them, end the stream with the failure that they are."""
    assert decoded([raw])[1] == code
