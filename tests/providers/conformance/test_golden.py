"""What becomes of recorded requests, answers and streams: as the golden files show, which a person has looked at."""

from __future__ import annotations

import msgspec
import pytest

from tests.providers.conformance.corpus import (
    REQUESTS,
    decoded,
    encoded,
    frames,
    streamed,
)
from tests.providers.conformance.dialects import FOREIGN, VERTEX, Dialect
from tests.providers.conformance.marks import (
    ANSWERS,
    STREAMS,
    named,
)
from tests.providers.conformance.record import pretty


@pytest.mark.parametrize("dialect", [*FOREIGN, VERTEX], ids=named)
@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_becomes_what_is_kept(dialect: Dialect, name: str) -> None:
    """Each canonical request becomes the body that the golden file shows, or is refused by the name of the part."""
    kept = dialect.folder("requests", f"{name}.json").read_text(encoding="utf-8")

    assert pretty(encoded(dialect, name)) == kept


@ANSWERS
def test_an_answer_becomes_what_is_kept(dialect: Dialect, name: str) -> None:
    """Each recorded answer becomes the canonical one that the golden file shows."""
    kept = dialect.folder("canonical", "answers", f"{name}.json").read_bytes()

    completion = decoded(dialect, dialect.answer(name))

    assert msgspec.json.decode(completion.raw) == msgspec.json.decode(kept)


@STREAMS
def test_a_stream_becomes_what_is_kept(dialect: Dialect, name: str) -> None:
    """Each recorded stream becomes the canonical one that the golden file shows."""
    kept = dialect.folder("canonical", "streams", f"{name}.sse").read_bytes()

    assert frames(streamed(dialect, dialect.stream(name))) == kept
