"""What answers look like in the form of the Responses API, whole and streamed: recordings, and what is passed on."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from app.api.dialects.responses.dialect import ResponsesDialect, ResponsesStyle
from app.api.dialects.responses.request import responses_request
from app.core.errors import RATE_LIMITED, STREAM_BROKEN, GatewayError
from app.core.model import Chunk, Completion, Native, StreamEvent, Weight
from tests.api.dialects.reading import GOLDEN, call_of, completion_of, events_of, streams_in
from tests.support.golden import agrees, agrees_as_text, names_in, recorded
from tests.support.routes import SetClock

ANSWERS, STREAMS = GOLDEN / "responses/answers", GOLDEN / "responses/streams"
ASKED = {"model": "fast", "input": "Hi", "instructions": "Be brief.", "temperature": 0.5, "metadata": {"a": "b"}}


def style(**asked: object) -> ResponsesStyle:
    """Return what writes the answer to one call."""
    clock = SetClock()
    clock.time = 1_800_000_000.0
    return ResponsesStyle(call_of(responses_request(json.dumps({**ASKED, **asked}).encode())), clock)


def told(raw: bytes) -> list[dict[str, Any]]:
    """Return the data of events."""
    lines = [line for line in raw.split(b"\n") if line.startswith(b"data: ")]
    return [json.loads(line.removeprefix(b"data: ")) for line in lines]


@pytest.mark.parametrize("name", names_in(ANSWERS))
def test_whole_answers_look_as_recorded(name: str) -> None:
    """Each kind of answer is written as OpenAI has it."""
    path = ANSWERS / f"{name}.json"

    written = json.loads(style().whole(completion_of(recorded(path)["given"])))

    agrees(path, "told", {member: written[member] for member in ("status", "output", "usage", "incomplete_details")})


def test_shows_its_request() -> None:
    """A response shows what was asked for, and the defaults of what was not."""
    asked = {"tools": [{"type": "function", "name": "f"}], "tool_choice": "required", "user": "u", "store": True}

    written = json.loads(style(**asked).whole(completion_of(recorded(ANSWERS / "text.json")["given"])))

    assert {**asked, "store": False}.items() <= written.items()
    assert (written["id"], written["object"], written["created_at"]) == ("resp_0a1b", "response", 1_800_000_000)
    assert (written["instructions"], written["temperature"], written["metadata"]) == ("Be brief.", 0.5, {"a": "b"})
    assert (written["model"], written["top_p"], written["truncation"]) == ("gpt-x", 1.0, "disabled")


@pytest.mark.parametrize("inner", [None, 7, "x", []])
def test_odd_annotations_are_shown_as_they_are(inner: object) -> None:
    """A citation that is none of the known form is passed on, and spoils no answer."""
    note = {"type": "url_citation", "url_citation": inner}
    message = {"role": "assistant", "content": "hi", "annotations": [note]}
    answer = completion_of({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]})

    written = json.loads(style().whole(answer))

    assert written["output"][0]["content"][0]["annotations"] == [note]


@pytest.mark.parametrize("name", streams_in(STREAMS))
def test_streams_look_as_recorded(name: str) -> None:
    """Items and parts begin, grow and end where OpenAI has it."""
    written = style().part(events_of((STREAMS / f"{name}.chat.sse").read_bytes()))

    events = [{key: value for key, value in event.items() if key != "response"} for event in told(written)]
    lines = [json.dumps(event, ensure_ascii=False) for event in events]
    agrees_as_text(STREAMS / f"{name}.jsonl", "\n".join([*lines, ""]).encode())


@pytest.mark.parametrize("name", streams_in(STREAMS))
def test_batches_make_no_difference(name: str) -> None:
    """One event at a time gives the same bytes as all at once."""
    events = events_of((STREAMS / f"{name}.chat.sse").read_bytes())
    writing = style()

    assert b"".join([writing.part([event]) for event in events]) == style().part(events)


@pytest.mark.parametrize("name", streams_in(STREAMS))
def test_a_stream_ends_with_what_a_whole_answer_would_be(name: str) -> None:
    """Numbers count up from 0, names match their data, and the last event holds every item that was told."""
    raw = style().part(events_of((STREAMS / f"{name}.chat.sse").read_bytes()))

    events = told(raw)
    names = [line.removeprefix(b"event: ").decode() for line in raw.split(b"\n") if line.startswith(b"event: ")]
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert names == [event["type"] for event in events]
    assert names[:2] == ["response.created", "response.in_progress"]
    assert len(events[-1]["response"]["output"]) == len(done)
    if name != "tools-interleaved":  # what comes late is in the last event only
        assert events[-1]["response"]["output"] == done


def test_bytes_of_the_same_dialect_are_passed_on() -> None:
    """What a provider of the same dialect sent is not written anew."""
    frame = b"event: response.created\ndata: { }\n\n"
    event = StreamEvent(b"", Chunk(), Weight.NOTHING, native=Native("responses", frame))

    assert style().whole(Completion(b"{}", native=Native("responses", b"{ }"))) == b"{ }"
    assert style().part([event, event]) == frame * 2


def test_bytes_of_another_dialect_are_not() -> None:
    """What a provider of a third dialect sent is translated."""
    completion = msgspec.structs.replace(
        completion_of(recorded(ANSWERS / "text.json")["given"]), native=Native("anthropic", b"{ }")
    )

    assert json.loads(style().whole(completion))["object"] == "response"


def test_refusals_have_openais_form() -> None:
    """A refusal is the error object of all of OpenAI's endpoints."""
    status, _, body = ResponsesDialect().refusal(GatewayError(RATE_LIMITED, "Slow down."), "req_1", None)

    assert (status, json.loads(body)["error"]["code"]) == (429, "rate_limited")


def test_a_broken_stream_ends_with_an_error_event() -> None:
    """The last event of a stream that broke has the flat form of the API, and an error object that the SDKs raise."""
    writing = style()
    writing.part(events_of((STREAMS / "text.chat.sse").read_bytes())[:2])

    frame = writing.failure(GatewayError(STREAM_BROKEN, "Gone."))

    assert frame.startswith(b"event: error\n")
    (event,) = told(frame)
    assert (event["type"], event["sequence_number"]) == ("error", 5)
    assert (event["code"], event["message"], event["param"]) == ("stream_broken", "Gone.", None)
    assert event["error"]["code"] == "stream_broken"
