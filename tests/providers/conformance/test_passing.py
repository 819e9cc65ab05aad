"""OpenAI's own dialect on both sides: what is not translated passes as it is."""

from __future__ import annotations

import msgspec
import pytest

from app.core.call import Target
from tests.providers.conformance.corpus import REQUESTS, decoded, request, streamed
from tests.providers.conformance.dialects import FOREIGN, PASSING, Dialect
from tests.providers.conformance.marks import named

PASSED = pytest.mark.parametrize("dialect", PASSING, ids=named)
ANSWERS = [f"{one.name}-{name}" for one in FOREIGN for name in one.answers()]
STREAMS = [f"{one.name}-{name}" for one in FOREIGN for name in one.streams()]


def kept(kind: str, recording: str, suffix: str) -> bytes:
    """Return the canonical form of a recording, which is OpenAI's own."""
    source = max((one for one in FOREIGN if recording.startswith(f"{one.name}-")), key=lambda one: len(one.name))
    name = recording.removeprefix(f"{source.name}-")
    return source.folder("canonical", kind, f"{name}{suffix}").read_bytes()


@PASSED
@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_passes_as_it_is(dialect: Dialect, name: str) -> None:
    """The provider is sent the client's own body, in which the model is exchanged and nothing else."""
    given = request(name)

    found = dialect.codec().encode(given, Target("p", dialect.tag))

    assert msgspec.json.decode(found.body) == {**msgspec.json.decode(given.raw), "model": dialect.tag}
    assert found.dropped == ()


@PASSED
@pytest.mark.parametrize("recording", ANSWERS)
def test_an_answer_passes_as_it_is(dialect: Dialect, recording: str) -> None:
    """An answer reaches the client byte for byte, and the gateway knows what it took and why it ended."""
    body = kept("answers", recording, ".json")

    completion = decoded(dialect, body)

    told = msgspec.json.decode(body)
    assert completion.raw == body
    assert completion.finish_reasons == tuple(choice["finish_reason"] for choice in told["choices"])
    assert completion.usage is not None
    assert completion.usage.total_tokens == told["usage"]["total_tokens"]


@PASSED
@pytest.mark.parametrize("recording", STREAMS)
def test_a_stream_passes_as_it_is(dialect: Dialect, recording: str) -> None:
    """A stream reaches the client frame by frame, usage and all."""
    recorded = kept("streams", recording, ".sse")

    events = streamed(dialect, [recorded])

    assert b"".join(event.frame for event in events) == recorded
