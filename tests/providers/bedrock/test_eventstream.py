"""AWS's event streams: read like botocore reads them, and nothing is believed of a damaged frame."""

from __future__ import annotations

import struct
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import BAD_UPSTREAM_REPLY, TARGET_UNAVAILABLE, GatewayError
from app.providers.bedrock.eventstream import Messages
from tests.providers.conformance.dialects import aws_message

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
NAMES = st.text("abc:-", min_size=1, max_size=20)


def framed(headers: bytes, payload: bytes = b"{}") -> bytes:
    """Return a message with these raw headers and good sums."""
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    head = prelude + struct.pack(">I", crc32(prelude))
    return head + headers + payload + struct.pack(">I", crc32(head + headers + payload))


@given(st.lists(st.tuples(st.dictionaries(NAMES, TEXT, max_size=3), st.binary(max_size=60)), max_size=4))
def test_reads_what_botocore_reads(sent: list[tuple[dict[str, str], bytes]]) -> None:
    """Messages have the headers and the payload that AWS's own parser finds in them."""
    data = b"".join([aws_message(headers, payload) for headers, payload in sent])
    theirs = EventStreamBuffer()
    theirs.add_data(data)

    ours = Messages().feed(data)

    assert [(message.headers, message.payload) for message in ours] == [
        (message.headers, message.payload) for message in theirs
    ]


def test_headers_of_other_types_are_passed_over() -> None:
    """Only text matters here; numbers, bytes, times and the like take their own room."""
    sizes = {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 8: 8, 9: 16}
    packed = b"".join([b"\x01" + bytes([97 + kind, kind]) + bytes(size) for kind, size in sizes.items()])
    packed += b"\x01y\x06\x00\x02\xff\xfe" + b"\x01z\x07\x00\x02hi"

    (message,) = Messages().feed(framed(packed))

    assert message.headers == {"z": "hi"}


def test_keeps_what_is_incomplete() -> None:
    """A message that is not there yet waits for its rest, and an end before that is no proper one."""
    messages, data = Messages(), aws_message({"a": "b"}, b"{}")

    assert messages.feed(data[:20]) == []
    with pytest.raises(GatewayError) as caught:
        messages.flush()
    assert caught.value.kind is TARGET_UNAVAILABLE
    assert len(messages.feed(data[20:])) == 1
    assert messages.flush() == []


@pytest.mark.parametrize("place", range(0, 60, 3))
def test_a_damaged_frame_is_refused(place: int) -> None:
    """One wrong byte anywhere in a frame is noticed."""
    data = bytearray(aws_message({"a": "b"}, b'{"text":"a longer payload"}'))
    data[place] ^= 0x40

    with pytest.raises(GatewayError) as caught:
        Messages().feed(bytes(data))

    assert caught.value.kind is BAD_UPSTREAM_REPLY


@pytest.mark.parametrize(
    "headers",
    [b"\x05ab", b"\x01a\x07\x00\x09hi", b"\x01a\x2a", b"\x01a\x07\x00\x01\xff", b"\x01a\x05\x00"],
)
def test_headers_that_cannot_be_read_are_refused(headers: bytes) -> None:
    """Headers with good sums and bad contents are the provider's fault, too."""
    with pytest.raises(GatewayError) as caught:
        Messages().feed(framed(headers))

    assert caught.value.kind is BAD_UPSTREAM_REPLY


@pytest.mark.parametrize("total", [0, 15, 2**32 - 1])
def test_lengths_are_bounded(total: int) -> None:
    """A length that cannot be is refused before anything is waited for."""
    prelude = struct.pack(">II", total, 0)

    with pytest.raises(GatewayError) as caught:
        Messages().feed(prelude + struct.pack(">I", crc32(prelude)))

    assert caught.value.kind is BAD_UPSTREAM_REPLY
