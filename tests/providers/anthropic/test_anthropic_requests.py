"""What Anthropic is sent for a request in OpenAI's form: recordings, and what cannot be sent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.core.call import Target
from app.core.errors import INVALID_REQUEST, UNSUPPORTED_FEATURE, GatewayError
from app.core.model import ChatFields, ChatRequest, Native, Operation, PlainRequest
from app.core.ports import Encoded
from app.providers.anthropic.codec import AnthropicCodec
from app.providers.canonical.stamps import Mint
from tests.support.golden import agrees, names_in, recorded

GOLDEN = Path(__file__).parents[1] / "golden/anthropic/requests"
SONNET = "claude-sonnet-4-5"
USER = {"role": "user", "content": "Hi"}


def codec(max_tokens: int | None = None) -> AnthropicCodec:
    """Return a codec whose ids and times are always the same."""
    return AnthropicCodec(Mint(wall=lambda: 1_800_000_000.0, chance=lambda: 0.5), max_tokens)


def asked(**body: object) -> ChatRequest:
    """Return a request as the edge reads it."""
    raw = json.dumps({"model": "m", "messages": [USER], **body}).encode()
    return ChatRequest(msgspec.json.decode(raw, type=ChatFields), raw)


def sent(request: ChatRequest, model: str = SONNET) -> Encoded:
    """Return what the provider is sent."""
    return codec().encode(request, Target("claude", model))


def said(*parts: object) -> dict[str, Any]:
    """Return the body of a request whose user says these parts."""
    return {"messages": [{"role": "user", "content": list(parts)}]}


def refusal(**body: object) -> GatewayError:
    """Return the refusal of a request."""
    with pytest.raises(GatewayError) as caught:
        sent(asked(**body))
    return caught.value


@pytest.mark.parametrize("name", names_in(GOLDEN))
def test_sends_what_was_recorded(name: str) -> None:
    """Each feature is written as Anthropic's API has it, and what is lost is named."""
    path = GOLDEN / f"{name}.json"
    given = recorded(path)

    encoded = sent(asked(**given["given"]), given["model"])

    agrees(path, "sent", json.loads(encoded.body))
    agrees(path, "dropped", list(encoded.dropped))


def test_arguments_keep_their_spelling() -> None:
    """Numbers in a tool's arguments are not spelled anew."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{ "n": 1.0e+2 }'}}

    encoded = sent(asked(messages=[USER, {"role": "assistant", "tool_calls": [call]}]))

    assert b'"input":{ "n": 1.0e+2 }' in encoded.body


def test_original_bytes_go_through_untouched() -> None:
    """What a client of the same dialect wrote is sent as it is, with the model's name exchanged and its own version."""
    raw = b'{ "model" : "route",\n "future": 1.0e+2, "messages": [] }'
    headers = (("anthropic-version", "2026-10-21"),)
    request = ChatRequest(asked().fields, asked().raw, Native("anthropic", raw, headers), translated=True)

    encoded = sent(msgspec.structs.replace(request, fields=msgspec.structs.replace(request.fields, model="route")))

    assert encoded.body == b'{ "model" : "claude-sonnet-4-5",\n "future": 1.0e+2, "messages": [] }'
    assert (encoded.path, encoded.headers, encoded.dropped) == ("/v1/messages", headers, ())


def test_bytes_of_another_dialect_are_translated() -> None:
    """What a client of a third dialect wrote is none of Anthropic's business."""
    request = msgspec.structs.replace(asked(), origin=Native("responses", b"{}"))

    encoded = sent(request)

    assert json.loads(encoded.body)["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
    assert encoded.headers == (("anthropic-version", "2023-06-01"),)


def test_uploaded_files_need_their_beta() -> None:
    """A request that names an uploaded file says so in the header that Anthropic asks for."""
    part = {"type": "file", "file": {"file_id": "file_011"}}

    encoded = sent(asked(messages=[{"role": "user", "content": [part]}]))

    assert ("anthropic-beta", "files-api-2025-04-14") in encoded.headers


def test_counts_tokens_in_the_clients_own_words() -> None:
    """A request to count tokens goes to the address for that, under the model's name at the provider."""
    request = PlainRequest(Operation.COUNT_TOKENS, "m", b'{"model":"m","messages":[]}')

    encoded = codec().encode(request, Target("claude", SONNET))

    assert (encoded.path, encoded.body) == (
        "/v1/messages/count_tokens",
        b'{"model":"claude-sonnet-4-5","messages":[]}',
    )


def test_other_operations_are_not_there() -> None:
    """Anthropic embeds nothing, and a fallback may."""
    with pytest.raises(GatewayError) as caught:
        codec().encode(PlainRequest(Operation.EMBEDDINGS, "m", b"{}"), Target("claude", SONNET))

    assert (caught.value.kind, caught.value.param) == (UNSUPPORTED_FEATURE, "embeddings")


TOOL = {"type": "function", "function": {"name": "f"}}
CALL: dict[str, Any] = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "no"}}
UNSUPPORTED: dict[str, tuple[dict[str, Any], str]] = {
    "choices": ({"n": 2}, "n"),
    "logprobs": ({"logprobs": True}, "logprobs"),
    "sound out": ({"modalities": ["text", "audio"]}, "modalities"),
    "functions": ({"functions": [{"name": "f"}]}, "functions"),
    "stored answers": ({"previous_response_id": "resp_1"}, "previous_response_id"),
    "custom tools": ({"tools": [TOOL, {"type": "custom", "custom": {"name": "c"}}]}, "tools[1].type"),
    "tools of others": ({"tools": [{"type": "web_search", "dialect": "responses", "definition": {}}]}, "tools[0].type"),
    "sound in": (
        said({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}),
        "messages[0].content[0].type",
    ),
    "videos": (
        said({"type": "text", "text": "a"}, {"type": "video_url"}),
        "messages[0].content[1].type",
    ),
    "pictures of odd types": (
        said({"type": "image_url", "image_url": {"url": "data:image/tiff;base64,AA"}}),
        "messages[0].content[0].image_url.url",
    ),
    "documents of odd types": (
        said({"type": "file", "file": {"file_data": "data:application/zip;base64,AA"}}),
        "messages[0].content[0].file.file_data",
    ),
    "spoken answers": ({"messages": [USER, {"role": "assistant", "audio": {"id": "a"}}]}, "messages[1].audio"),
    "calls of custom tools": (
        {"messages": [USER, {"role": "assistant", "tool_calls": [{"id": "c", "custom": {"name": "x"}}]}]},
        "messages[1].tool_calls[0].type",
    ),
    "roles of others": ({"messages": [{"role": "critic", "content": "x"}]}, "messages[0].role"),
    "nothing to say": ({"messages": [{"role": "system", "content": "x"}, {"role": "user", "content": ""}]}, "messages"),
    "forms of others": ({"response_format": {"type": "grammar"}}, "response_format.type"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "param"), UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_names_what_cannot_be_expressed(body: dict[str, Any], param: str) -> None:
    """What Anthropic has no form for is refused by name, so that a fallback may take it."""
    error = refusal(**body)

    assert (error.kind, error.param) == (UNSUPPORTED_FEATURE, param)


def test_an_old_model_keeps_to_no_schema() -> None:
    """A model that cannot keep to a schema is not sent one."""
    form = {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}

    with pytest.raises(GatewayError) as caught:
        sent(asked(response_format=form), "claude-3-5-haiku-20241022")

    assert (caught.value.kind, caught.value.param) == (UNSUPPORTED_FEATURE, "response_format")


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "arguments": (
        {"messages": [USER, {"role": "assistant", "tool_calls": [CALL]}]},
        "messages[1].tool_calls[0].function.arguments",
    ),
    "a result of nothing": ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
    "a choice": ({"tool_choice": "always"}, "tool_choice"),
    "a picture that is no base64": (
        said({"type": "image_url", "image_url": {"url": "data:image/png,x"}}),
        "messages[0].content[0].image_url.url",
    ),
    "a text that is no base64": (
        said({"type": "file", "file": {"file_data": "data:text/plain;base64,ß"}}),
        "messages[0].content[0].file.file_data",
    ),
    "a field that the edge does not read": ({"top_k": "many"}, "top_k"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "param"), WRONG.values(), ids=WRONG)
def test_names_what_is_wrong(body: dict[str, Any], param: str) -> None:
    """What no provider could understand is the caller's to correct."""
    error = refusal(**body)

    assert (error.kind, error.param) == (INVALID_REQUEST, param)


def test_answers_are_bounded_as_configured() -> None:
    """A request without a bound has that of the provider's settings, one with a bound its own."""
    bounds = [
        json.loads(codec(7).encode(request, Target("claude", SONNET)).body)["max_tokens"]
        for request in (asked(), asked(max_tokens=9))
    ]

    assert bounds == [7, 9]
