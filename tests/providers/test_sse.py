"""Event streams from bytes: the grammar, and that it does not matter how the bytes were cut."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.core.errors import BAD_UPSTREAM_REPLY, GatewayError
from app.providers.sse import SseFrame, SseFrames

BOM = b"\xef\xbb\xbf"
_FIELDS = (
    b"data: a|data:b|data:  c|data|data:|data: \xc3\xa9|data: d: e|event: f|event:|: comment|:|id: 1|retry: 10|x: g||"
)
LINES = st.sampled_from(_FIELDS.split(b"|"))
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
STREAMS = st.builds(
    lambda bom, lines, rest: bom + b"".join(line + end for line, end in lines) + rest,
    st.sampled_from([b"", BOM]),
    st.lists(st.tuples(LINES, ENDS), max_size=12),
    st.one_of(st.just(b""), LINES),
)
PLAIN_STREAMS = st.lists(
    st.binary(max_size=20).map(lambda data: b"data: %b\n\n" % data.replace(b"\n", b".").replace(b"\r", b".")),
    max_size=8,
).map(b"".join)
CUTS = st.lists(st.integers(0, 200), max_size=8)


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    """Cut `stream` at the given places."""
    borders = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    return [stream[start:end] for start, end in pairwise(borders)]


def parsed(parts: list[bytes]) -> list[SseFrame]:
    """Feed all parts and flush."""
    parser = SseFrames()
    frames = [frame for part in parts for frame in parser.feed(part)]
    return frames + parser.flush()


def meanings(frames: list[SseFrame]) -> list[tuple[bytes, bytes]]:
    """Return what the frames say, whatever their bytes."""
    return [(frame.event, frame.data) for frame in frames]


def naive(stream: bytes) -> list[tuple[bytes, bytes]]:
    """Read a whole stream by the letter of the WHATWG grammar, and take its last event even without a blank line."""
    events = []
    event, data = b"", list[bytes]()
    for line in [*re.split(rb"\r\n|\n|\r", stream.removeprefix(BOM)), b""]:
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
        elif name == b"event":
            event = value.removeprefix(b" ")
        elif not line:
            events += [(event, b"\n".join(data))] if data else []
            event, data = b"", []
    return events


@settings(deadline=None)
@given(STREAMS, CUTS)
@example(b"data: a\n\r\n\ndata: b\n\n", [9])
@example(b"data: a\r\n\r\ndata: b\r\n\r\n", [8, 9, 10])
def test_means_the_same_however_it_was_cut(stream: bytes, cuts: list[int]) -> None:
    """Any stream means what the grammar says, whatever the pieces in which it arrives."""
    expected = naive(stream)

    frames = parsed(pieces(stream, cuts))

    assert meanings(frames) == expected


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("start", [b"", BOM, b"\n", b": hello\n\n"])
@pytest.mark.parametrize("close", [b"", b"\n", b"\n\n"])
def test_survives_every_single_cut(start: bytes, end: bytes, close: bytes) -> None:
    """A stream cut in two at any place, or into single bytes, means the same."""
    lines = [b": c", b"data: one", b"data: two", b"", b"event: e", b"id: 7", b"data: three", b"", b"data: four"]
    stream = (start + b"\n".join(lines) + close).replace(b"\n", end)

    every = [meanings(parsed(pieces(stream, [cut]))) for cut in range(len(stream))]
    single = meanings(parsed([bytes([byte]) for byte in stream]))

    assert [*every, single] == [[(b"", b"one\ntwo"), (b"e", b"three"), (b"", b"four")]] * (len(stream) + 1)


@settings(deadline=None)
@given(PLAIN_STREAMS, CUTS)
def test_plain_frames_are_the_bytes_that_came(stream: bytes, cuts: list[int]) -> None:
    """Frames of one `data: ` line are plain, and together they are the stream, byte for byte."""
    frames = parsed(pieces(stream, cuts))

    assert b"".join(frame.raw for frame in frames) == stream
    assert all(frame.plain for frame in frames)


@settings(deadline=None)
@given(STREAMS, CUTS)
def test_a_plain_frame_is_its_data_and_nothing_else(stream: bytes, cuts: list[int]) -> None:
    """What is called plain can be rebuilt from its data, so forwarding it forwards nothing more."""
    frames = parsed(pieces(stream, cuts))

    assert all(frame.raw == b"data: %b\n\n" % frame.data and not frame.event for frame in frames if frame.plain)


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: a\ndata: b\n\n", [(b"", b"a\nb")]),
        (b"data:a\n\n", [(b"", b"a")]),
        (b"data:  a\n\n", [(b"", b" a")]),
        (b"data: \n\n", [(b"", b"")]),
        (b"data:\n\n", [(b"", b"")]),
        (b"data\n\n", [(b"", b"")]),
        (b"data\ndata\n\n", [(b"", b"\n")]),
        (b"event: ping\n\n", []),
        (b"event: ping\n\ndata: a\n\n", [(b"", b"a")]),
        (b"event: a\nevent: b\ndata: c\n\n", [(b"b", b"c")]),
        (b"id: 1\nretry: 5\ndata: a\n\n", [(b"", b"a")]),
        (b": note\ndata: a\n\n", [(b"", b"a")]),
        (b": note\n\n", []),
        (b"\n\n\n\ndata: a\n\n\n\n", [(b"", b"a")]),
        (b"DATA: a\n\n", []),
        (b" data: a\n\n", []),
        (b"data: " + BOM + b"\n\n", [(b"", BOM)]),
        (BOM + BOM + b"data: a\n\n", []),
        (b"data: a\x00\x0b\x0c\xc2\x85\xe2\x80\xa8b\n\n", [(b"", b"a\x00\x0b\x0c\xc2\x85\xe2\x80\xa8b")]),
        (b"", []),
        (b"\n", []),
    ],
)
def test_reads_the_grammar(stream: bytes, expected: list[tuple[bytes, bytes]]) -> None:
    """Fields, comments, blank lines and marks mean what the WHATWG specification says."""
    frames = parsed([stream])

    assert meanings(frames) == expected


@pytest.mark.parametrize("stream", [b"data:a\n\n", b"data: a\ndata: b\n\n", b"id: 1\ndata: a\n\n", b"data: a\r\n\r\n"])
def test_other_spellings_are_not_plain(stream: bytes) -> None:
    """A frame with other fields, other line ends or no space is marked as not safe to forward as it is."""
    (frame,) = parsed([stream])

    assert not frame.plain
    assert frame.raw == stream


def test_hands_a_frame_out_with_its_last_byte() -> None:
    """No frame waits for what follows it."""
    parser = SseFrames()

    early = parser.feed(b"data: a\n")
    complete = parser.feed(b"\n")

    assert (early, meanings(complete), parser.flush()) == ([], [(b"", b"a")], [])


def test_flush_completes_a_frame_without_blank_line() -> None:
    """A stream that ends right after its last line loses nothing, and ends once."""
    parser = SseFrames()
    parser.feed(b"data: a\n\ndata: b")

    rest = parser.flush()

    assert (meanings(rest), rest[0].raw, parser.flush()) == ([(b"", b"b")], b"data: b\n\n", [])


@pytest.mark.parametrize("cut", [1, 2, 3])
def test_drops_a_cut_mark_in_front_of_an_unfinished_frame(cut: int) -> None:
    """A byte order mark that came in pieces is ignored also when the only frame lacks its blank line."""
    stream = BOM + b"data: a"

    frames = parsed([stream[:cut], stream[cut:]])

    assert meanings(frames) == [(b"", b"a")]


@pytest.mark.parametrize("size", [1, 7, 64])
def test_bounds_a_frame(size: int) -> None:
    """A frame that does not end is refused once it has outgrown the bound, in whatever pieces it comes."""
    parser = SseFrames(frame_max_bytes=256)
    for _ in range(256 // size):
        parser.feed(b"x" * size)

    with pytest.raises(GatewayError) as caught:
        parser.feed(b"x" * size)

    assert caught.value.kind is BAD_UPSTREAM_REPLY


def test_the_bound_is_for_one_frame() -> None:
    """Any number of frames within the bound may pass."""
    parser = SseFrames(frame_max_bytes=32)

    frames = [frame for _ in range(100) for part in (b"data: a", b"bc\n", b"\n") for frame in parser.feed(part)]

    assert meanings(frames) == [(b"", b"abc")] * 100
