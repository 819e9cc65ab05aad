"""
What streams of real servers come to, however the network cuts them.

The golden files are event streams in the words of each server; `NAME.forwarded.sse` is what a client must see of one
that holds more than plain frames.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from app.core.errors import GatewayError
from app.core.model import StreamEvent
from app.providers.openai.codec import OpenAiCodec
from tests.support.calls import asking

GOLDEN = Path(__file__).parents[1] / "golden/openai/streams"
LETTERS = "NTA"  # nothing, thought, answer: one for each event


class Stream(NamedTuple):
    """What a recorded stream holds; `error` is the code of the failure in which it ends."""

    name: str
    weights: str
    text: str
    thoughts: str = ""
    finish: tuple[str, ...] = ("stop",)
    usage: tuple[int, int, int] | None = None
    error: str | None = None


STREAMS = (
    Stream("openai", "NAAANA", "Grüß dich 👋", usage=(9, 4, 13)),
    Stream("openai-tools", "NAAAAAAA", "", finish=("tool_calls",)),
    Stream("openai-choices", "NANAAAAA", "HeadsTails.", finish=("stop", "length")),
    Stream("openai-refusal", "NAAA", ""),
    Stream("azure", "NNANAANA", "Hello!", usage=(11, 2, 13)),
    Stream("groq", "NTAAAA", "Hi!", "User says hi."),
    Stream("mistral", "NAAAAA", "Bonjour", usage=(10, 15, 25)),
    Stream("deepseek", "NTTAAA", "你好", "好的。", usage=(6, 12, 18)),
    Stream("openrouter", "TAAANA", "Hello!", "Simple.", usage=(14, 7, 21)),
    Stream("openrouter-error", "AA", "Once upon a", finish=(), error="target_rate_limited"),
    Stream("vllm", "NTAANA", "Hi there", "Hm.", usage=(12, 5, 17)),
    Stream("vllm-error", "NA", "Hi", finish=(), error="target_failed"),
    Stream("llamacpp", "NAAANA", "Hello!", finish=("length",), usage=(31, 2, 33)),
    Stream("llama-cpp-python", "NAAAA", "Yes."),
    Stream("ollama", "AAAA", "How are you?"),
    Stream("foundry-local", "AAAA", "OK"),
    Stream("null-usage", "AAA", "Hm", finish=()),  # its last chunk cannot be read, but it still counts as an end
)
ALL = pytest.mark.parametrize("stream", STREAMS, ids=[stream.name for stream in STREAMS])


def sent(stream: Stream) -> bytes:
    """Return the bytes of the server."""
    return (GOLDEN / f"{stream.name}.sse").read_bytes()


def decoded(parts: Iterable[bytes]) -> tuple[list[StreamEvent], str | None]:
    """Return the events in `parts` and the code of the failure, if it ended in one."""
    decoder = OpenAiCodec().decoder(asking())
    events: list[StreamEvent] = []
    try:
        for part in parts:
            events += decoder.feed(part)
        events += [] if decoder.done else decoder.end()
    except GatewayError as error:
        return events, error.kind.code
    return events, None


def text_of(content: str | list[msgspec.Raw] | None) -> str:
    """Return the text in a delta's content, of which Mistral also sends lists of parts."""
    if isinstance(content, list):
        return "".join(msgspec.json.decode(part).get("text", "") for part in content)
    return content or ""


@ALL
def test_means_what_the_server_meant(stream: Stream) -> None:
    """Text, thoughts, finish reasons, usage and the weight of each event are read from every server's stream."""
    events, error = decoded([bytes([byte]) for byte in sent(stream)])

    chunks = [event.chunk for event in events if event.chunk is not None]
    choices = [choice for chunk in chunks for choice in chunk.choices]
    found = [chunk.usage for chunk in chunks if chunk.usage is not None]
    usages = [(usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) for usage in found]
    assert "".join(LETTERS[event.weight] for event in events) == stream.weights
    assert "".join(text_of(choice.delta.content) for choice in choices) == stream.text
    thoughts = "".join(choice.delta.reasoning_content or choice.delta.reasoning or "" for choice in choices)
    assert thoughts == stream.thoughts
    assert tuple(choice.finish_reason for choice in choices if choice.finish_reason) == stream.finish
    assert usages == ([stream.usage] if stream.usage else [])
    assert error == stream.error


@ALL
def test_is_forwarded_as_it_came(stream: Stream) -> None:
    """The client gets each frame byte for byte, or the plain frame in it if there was more than data."""
    other = GOLDEN / f"{stream.name}.forwarded.sse"
    expected = other.read_bytes() if other.exists() else sent(stream)

    events, _ = decoded([bytes([byte]) for byte in sent(stream)])

    assert b"".join(event.frame for event in events) == expected


@ALL
def test_does_not_depend_on_the_cut(stream: Stream) -> None:
    """Cut at any byte border, a stream gives the same events and ends in the same way."""
    raw = sent(stream)
    expected, error = decoded([bytes([byte]) for byte in raw])

    for cut in range(len(raw) + 1):
        events, ended = decoded([raw[:cut], raw[cut:]])

        assert ended == error
        assert events == expected[: len(events)]
        assert error is not None or len(events) == len(expected)


@ALL
def test_is_never_complete_before_its_end(stream: Stream) -> None:
    """However early a stream breaks off, what is there of it is not taken for a whole answer."""
    raw = sent(stream)
    end = raw.find(b"[DONE]") + len(b"[DONE]")

    ends = {decoded([raw[:cut]])[1] for cut in range(end)}

    assert None not in ends
    assert ends <= {"target_unavailable", "bad_upstream_reply", stream.error}
