"""Reasoning that only a third provider can read: shown in each dialect, sent back by the client, and found again."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from app.api.dialects.anthropic.dialect import MessagesStyle
from app.api.dialects.anthropic.request import messages_request
from app.api.dialects.responses.dialect import ResponsesStyle
from app.api.dialects.responses.request import responses_request
from app.core.dialects.reasoning import SEAL, ReasoningDetail, hidden_extra, sealed, unsealed
from tests.api.dialects.reading import call_of, completion_of, events_of
from tests.support.calls import asking
from tests.support.routes import SetClock

Json = dict[str, Any]
USER = {"role": "user", "content": "Hi"}
SIGNED = {"type": "reasoning.text", "text": "Let me see.", "signature": "Z2Vt", "format": "google-gemini-v1"}
BARE = {"type": "reasoning.encrypted", "data": "Z2Vt", "format": "google-gemini-v1"}
CLAUDES = {"type": "reasoning.text", "text": "Mine.", "signature": "c2ln", "format": "anthropic-claude-v1"}
CASES = {"signed prose": [SIGNED], "no prose": [BARE], "both": [SIGNED, BARE], "of Anthropic's": [CLAUDES]}


def message_of(details: list[Json]) -> Json:
    """Return an answer with reasoning and text."""
    prose = "".join([detail.get("text", "") for detail in details])
    return {"role": "assistant", "content": "Four.", "reasoning_content": prose, "reasoning_details": details}


def completion(details: list[Json]) -> Json:
    """Return a whole answer."""
    return {"model": "m", "choices": [{"index": 0, "message": message_of(details), "finish_reason": "stop"}]}


def stream(details: list[Json]) -> bytes:
    """Return a streamed answer, whose entries come whole behind their prose."""
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    for detail in details:
        deltas += [{"reasoning_content": piece} for piece in (detail.get("text", "")[:4], detail.get("text", "")[4:])]
        deltas.append({"reasoning_details": [detail]})
    deltas.append({"content": "Four."})
    chunks: list[Json] = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    return b"".join([b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks]) + b"data: [DONE]\n\n"


def data_of(events: bytes) -> list[Json]:
    """Return what the events of a stream say."""
    return [json.loads(event.split(b"data: ")[1]) for event in events.split(b"\n\n") if event]


def from_messages(content: list[Json]) -> Json:
    """Return the assistant's message that an Anthropic client sends back."""
    turns = [USER, {"role": "assistant", "content": content}, USER]
    raw = json.dumps({"model": "m", "max_tokens": 9, "messages": turns}).encode()
    found: Json = json.loads(messages_request(raw).raw)["messages"][1]
    return found


def from_responses(items: list[Json]) -> Json:
    """Return the assistant's message that a client of the Responses API sends back."""
    raw = json.dumps({"model": "m", "input": [USER, *items, USER]}).encode()
    found: Json = json.loads(responses_request(raw).raw)["messages"][1]
    return found


def blocks_of(events: list[Json]) -> list[Json]:
    """Put the blocks of a streamed message together, as Anthropic's SDKs do."""
    blocks: list[Json] = []
    for event in events:
        if event["type"] == "content_block_start":
            blocks.append(dict(event["content_block"]))
        elif event["type"] == "content_block_delta":
            kind, *_ = [name for name in event["delta"] if name != "type"]
            blocks[-1][kind] = blocks[-1].get(kind, "") + event["delta"][kind]
    return blocks


@pytest.mark.parametrize("name", CASES)
def test_through_a_message(name: str) -> None:
    """Blocks of thinking carry all entries there and back, whole."""
    details = CASES[name]

    written = json.loads(MessagesStyle(call_of(asking())).whole(completion_of(completion(details))))

    assert from_messages(written["content"])["reasoning_details"] == details


@pytest.mark.parametrize("name", CASES)
def test_through_a_streamed_message(name: str) -> None:
    """Blocks of thinking carry all entries there and back, streamed."""
    details = CASES[name]

    events = data_of(MessagesStyle(call_of(asking())).part(events_of(stream(details))))

    assert from_messages(blocks_of(events))["reasoning_details"] == details


@pytest.mark.parametrize("details", [[SIGNED], [CLAUDES]])
def test_entries_whose_prose_does_not_come_before(details: list[Json]) -> None:
    """Entries that come with their text alone are blocks all the same."""
    silent = stream(details).replace(b"reasoning_content", b"some_content")

    events = data_of(MessagesStyle(call_of(asking())).part(events_of(silent)))

    assert from_messages(blocks_of(events))["reasoning_details"] == details
    assert blocks_of(events)[0]["thinking"] == details[0]["text"]


@pytest.mark.parametrize("name", CASES)
def test_through_a_response(name: str) -> None:
    """Items of reasoning carry all entries there and back, whole."""
    details = CASES[name]
    style = ResponsesStyle(call_of(asking()), SetClock())

    written = json.loads(style.whole(completion_of(completion(details))))

    assert from_responses(written["output"])["reasoning_details"] == details


@pytest.mark.parametrize("name", CASES)
def test_through_a_streamed_response(name: str) -> None:
    """Items of reasoning carry all entries there and back, streamed."""
    details = CASES[name]
    style = ResponsesStyle(call_of(asking()), SetClock())

    events = data_of(style.part(events_of(stream(details))))

    assert from_responses(events[-1]["response"]["output"])["reasoning_details"] == details


def test_prose_alone() -> None:
    """Prose that nobody signed stands beside a bare seal, and is found again as prose."""
    details = [{"type": "reasoning.text", "text": "Plain."}]
    message = json.loads(MessagesStyle(call_of(asking())).whole(completion_of(completion(details))))
    response = json.loads(ResponsesStyle(call_of(asking()), SetClock()).whole(completion_of(completion(details))))

    assert message["content"][0]["signature"] == SEAL
    assert response["output"][0]["encrypted_content"] == SEAL
    assert from_messages(message["content"])["reasoning_details"] == details
    assert from_responses(response["output"])["reasoning_details"] == details


@pytest.mark.parametrize("broken", [SEAL + "{", SEAL + '{"details": 7}', SEAL + "{}", SEAL + "[]", SEAL + '{"details"'])
def test_broken_seals_hold_nothing(broken: str) -> None:
    """What a client made of a seal is no reason to fail."""
    assert unsealed(broken) == []
    assert "reasoning_details" not in from_messages([{"type": "redacted_thinking", "data": broken}])


@pytest.mark.parametrize("broken", ["", "no JSON", "7", "[" * 100_000])
def test_broken_extras_hold_nothing(broken: str) -> None:
    """What a client made of something that only its provider could read is left out."""
    hidden = ReasoningDetail("reasoning.encrypted", data=broken, format="wizard-extra-content")

    found = from_messages([{"type": "redacted_thinking", "data": sealed([hidden])}])

    assert "extra_content" not in found


def test_extras_of_a_call_that_is_gone() -> None:
    """What belongs to a call goes with it, where a client left that out."""
    hidden = hidden_extra(msgspec.Raw(b'{"google":{"thought_signature":"c2ln"}}'), "call_1")
    use = {"type": "tool_use", "id": "call_2", "name": "now", "input": {}}

    found = from_messages([{"type": "redacted_thinking", "data": sealed(hidden)}, use])

    assert "c2ln" not in json.dumps(found)


def test_seals_of_nobody_else() -> None:
    """A provider's signature is no seal, and a seal gives back what went in."""
    entry = ReasoningDetail("reasoning.encrypted", data="}{", id="a")

    assert unsealed("c2ln") is None
    assert unsealed(sealed([entry])) == [entry]
