"""What answers look like in Anthropic's form, whole and streamed: recordings, and bytes that are passed on."""

from __future__ import annotations

import json

import msgspec
import pytest

from app.api.dialects.anthropic.dialect import MessagesDialect, MessagesStyle
from app.core.errors import (
    BAD_UPSTREAM_REPLY,
    CONTEXT_TOO_LONG,
    KINDS,
    STREAM_BROKEN,
    TARGET_BUSY,
    GatewayError,
    Kind,
)
from app.core.model import Chunk, Completion, Native, StreamEvent, Weight
from tests.api.dialects.reading import GOLDEN, call_of, completion_of, events_of, streams_in
from tests.support.calls import asking
from tests.support.golden import agrees, agrees_as_text, names_in, recorded

ANSWERS, STREAMS = GOLDEN / "anthropic/answers", GOLDEN / "anthropic/streams"


def style() -> MessagesStyle:
    """Return what writes the answer to one call."""
    return MessagesStyle(call_of(asking()))


@pytest.mark.parametrize("name", names_in(ANSWERS))
def test_whole_answers_look_as_recorded(name: str) -> None:
    """Each kind of answer is written as Anthropic has it."""
    path = ANSWERS / f"{name}.json"

    written = style().whole(completion_of(recorded(path)["given"]))

    agrees(path, "told", json.loads(written))


@pytest.mark.parametrize("name", streams_in(STREAMS))
def test_streams_look_as_recorded(name: str) -> None:
    """Messages and blocks begin and end where Anthropic has it."""
    written = style().part(events_of((STREAMS / f"{name}.chat.sse").read_bytes()))

    agrees_as_text(STREAMS / f"{name}.sse", written)


@pytest.mark.parametrize("name", streams_in(STREAMS))
def test_batches_make_no_difference(name: str) -> None:
    """One event at a time gives the same bytes as all at once."""
    events = events_of((STREAMS / f"{name}.chat.sse").read_bytes())
    writing = style()

    assert b"".join([writing.part([event]) for event in events]) == style().part(events)


def test_arguments_keep_their_spelling() -> None:
    """Numbers in a tool's input are not spelled anew."""
    call = {"id": "c", "function": {"name": "f", "arguments": '{ "n": 1.0e+2 }'}}

    written = style().whole(completion_of({"choices": [{"message": {"tool_calls": [call]}}]}))

    assert b'"input":{ "n": 1.0e+2 }' in written


def test_bytes_of_the_same_dialect_are_passed_on() -> None:
    """What an Anthropic provider sent is not written anew."""
    frame = b"event: ping\ndata: { }\n\n"
    event = StreamEvent(b"", Chunk(), Weight.NOTHING, native=Native("anthropic", frame))

    assert style().whole(Completion(b"{}", native=Native("anthropic", b"{ }"))) == b"{ }"
    assert style().part([event, event]) == frame * 2


def test_bytes_of_another_dialect_are_not() -> None:
    """What a provider of a third dialect sent is translated."""
    completion = msgspec.structs.replace(
        completion_of(recorded(ANSWERS / "text.json")["given"]), native=Native("responses", b"{ }")
    )

    assert json.loads(style().whole(completion))["type"] == "message"


@pytest.mark.parametrize("raw", [b'{"choices":[{"message":{"tool_calls":5}}]}', b'{"choices":"x"}'])
def test_an_answer_that_cannot_be_read_is_the_providers_fault(raw: bytes) -> None:
    """An answer that is none of OpenAI's either is not the caller's problem."""
    with pytest.raises(GatewayError) as caught:
        style().whole(Completion(raw))

    assert caught.value.kind is BAD_UPSTREAM_REPLY


@pytest.mark.parametrize("kind", KINDS, ids=[kind.code for kind in KINDS])
def test_refusals_have_anthropics_form(kind: Kind) -> None:
    """Every row of the table is an error object whose type fits its status."""
    status, headers, body = MessagesDialect().refusal(GatewayError(kind, "No.", param="p"), "req_1", None)

    told = json.loads(body)
    assert (told["type"], told["request_id"]) == ("error", "req_1")
    assert told["error"]["details"] == {"error_code": kind.code}
    assert told["error"]["message"].endswith("No.")
    assert status == (529 if kind is TARGET_BUSY else kind.status)
    assert (told["error"]["type"] == "invalid_request_error") is (status in {400, 405, 408, 415, 421, 422, 431, 499})
    assert (b"request-id", b"req_1") in headers


@pytest.mark.parametrize(("said", "told"), [(503, 503), (529, 529), (200, 529), (None, 529)])
def test_a_provider_that_says_503_is_told_as_that(said: int | None, told: int) -> None:
    """Whoever is overloaded in other words has Anthropic's own status."""
    error = GatewayError(TARGET_BUSY, "No.")
    error.upstream_status = said

    status, _, body = MessagesDialect().refusal(error, "req_1", None)

    assert status == told
    assert json.loads(body)["error"]["type"] == "overloaded_error"


def test_a_full_context_is_said_as_claude_code_reads_it() -> None:
    """Claude Code compacts its conversation when it reads Anthropic's words, whoever said that it is too long."""
    bodies = [
        json.loads(MessagesDialect().refusal(GatewayError(CONTEXT_TOO_LONG, text), "req_1", None)[2])
        for text in ("128001 tokens", "Prompt is too long: 5 > 4")
    ]

    assert [body["error"]["message"] for body in bodies] == [
        "prompt is too long: 128001 tokens",
        "Prompt is too long: 5 > 4",
    ]


def test_a_broken_stream_ends_with_an_error_event() -> None:
    """The last event of a stream that broke is an error that the SDKs raise, and nothing that looks like an end."""
    frame = style().failure(GatewayError(STREAM_BROKEN, "Gone."))

    name, data, *rest = frame.split(b"\n")
    told = json.loads(data.removeprefix(b"data: "))
    assert (name, rest) == (b"event: error", [b"", b""])
    assert (told["type"], told["error"]["type"], told["error"]["message"]) == ("error", "api_error", "Gone.")
