"""Lines from bytes, however they were cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import BAD_UPSTREAM_REPLY, GatewayError
from app.providers.ollama.lines import Lines


@given(st.binary(max_size=60).map(lambda data: data.replace(b"\r", b"")), st.lists(st.integers(0, 60)))
def test_cuts_do_not_matter(data: bytes, places: list[int]) -> None:
    """The lines are those of the whole, wherever the bytes are cut."""
    cuts = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    lines = Lines()

    found = [line for start, end in pairwise(cuts) for line in lines.feed(data[start:end])]
    found += lines.flush()

    assert found == [line for line in data.split(b"\n") if line.strip()]


def test_a_line_is_bounded() -> None:
    """A provider that never ends a line cannot fill the memory."""
    lines = Lines(10)
    lines.feed(b"12345")

    with pytest.raises(GatewayError) as caught:
        lines.feed(b"678901")

    assert caught.value.kind is BAD_UPSTREAM_REPLY
