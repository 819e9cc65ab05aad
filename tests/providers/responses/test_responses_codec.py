"""What the Responses API is sent, and what its whole answers mean: recordings, and what cannot be said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import errors as table
from app.core.call import Target
from app.core.errors import INVALID_REQUEST, UNSUPPORTED_FEATURE, GatewayError, Kind
from app.core.model import ChatFields, ChatRequest, Completion, Native, Operation, PlainRequest
from app.core.ports import Encoded
from app.providers.canonical.stamps import Mint
from app.providers.openai.codec import OpenAiCodec
from app.providers.responses.codec import ResponsesCodec
from tests.support.golden import agrees, names_in, recorded

GOLDEN = Path(__file__).parents[1] / "golden/responses"
REQUESTS, ANSWERS = GOLDEN / "requests", GOLDEN / "answers"
USER = {"role": "user", "content": "Hi"}


def codec() -> ResponsesCodec:
    """Return a codec whose ids and times are always the same."""
    return ResponsesCodec(Mint(wall=lambda: 1_800_000_000.0, chance=lambda: 0.5), OpenAiCodec())


def asked(**body: object) -> ChatRequest:
    """Return a request as the edge reads it."""
    raw = json.dumps({"model": "m", "messages": [USER], **body}).encode()
    return ChatRequest(msgspec.json.decode(raw, type=ChatFields), raw)


def sent(request: ChatRequest, model: str = "gpt-5") -> Encoded:
    """Return what the provider is sent."""
    return codec().encode(request, Target("openai", model))


def decoded(body: bytes) -> Completion:
    """Return what an answer means."""
    return codec().decode(body, asked())


@pytest.mark.parametrize("name", names_in(REQUESTS))
def test_sends_what_was_recorded(name: str) -> None:
    """Each feature is written as the Responses API has it, and what is lost is named."""
    path = REQUESTS / f"{name}.json"
    given = recorded(path)

    encoded = sent(asked(**given["given"]), given.get("model", "gpt-5"))

    assert encoded.path == "/responses"
    agrees(path, "sent", json.loads(encoded.body))
    agrees(path, "dropped", list(encoded.dropped))


def test_original_bytes_go_through_untouched() -> None:
    """What a client of the same dialect wrote is sent as it is, with the model's name exchanged."""
    request = msgspec.structs.replace(asked(), origin=Native("responses", b'{ "model" : "m", "store": true }'))

    encoded = sent(request)

    assert encoded == Encoded("/responses", b'{ "model" : "gpt-5", "store": true }')


def test_bytes_of_another_dialect_are_translated() -> None:
    """What a client of a third dialect wrote is none of OpenAI's business."""
    encoded = sent(msgspec.structs.replace(asked(), origin=Native("anthropic", b"{}")))

    assert json.loads(encoded.body)["input"] == [{"type": "message", **USER}]


def test_other_operations_go_where_they_always_went() -> None:
    """What is no chat is spoken as at every other address of the provider."""
    request = PlainRequest(Operation.EMBEDDINGS, "m", b'{"model":"m","input":"x"}')
    answer = b'{"object":"list","data":[{"embedding":[1.0],"index":0}],"model":"m","usage":{"prompt_tokens":1}}'

    encoded = codec().encode(request, Target("openai", "e"))

    assert (encoded.path, encoded.body) == ("/embeddings", b'{"model":"e","input":"x"}')
    assert codec().decode(answer, request).raw == answer


UNSUPPORTED: dict[str, tuple[dict[str, Any], str]] = {
    "choices": ({"n": 2}, "n"),
    "stops": ({"stop": ["END"]}, "stop"),
    "sound out": ({"modalities": ["audio"]}, "modalities"),
    "functions": ({"functions": [{"name": "f"}]}, "functions"),
    "tools of others": ({"tools": [{"type": "bash", "dialect": "anthropic", "definition": {}}]}, "tools[0].type"),
    "parts of others": (
        {"messages": [{"role": "user", "content": [{"type": "video"}]}]},
        "messages[0].content[0].type",
    ),
    "spoken answers": ({"messages": [USER, {"role": "assistant", "audio": {"id": "a"}}]}, "messages[1].audio"),
    "pictures in answers": (
        {"messages": [{"role": "assistant", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        "messages[0].content[0].type",
    ),
    "calls of others": (
        {"messages": [{"role": "assistant", "tool_calls": [{"id": "c"}]}]},
        "messages[0].tool_calls[0].type",
    ),
    "roles of others": ({"messages": [{"role": "critic", "content": "x"}]}, "messages[0].role"),
}  # fmt: skip


@pytest.mark.parametrize(("body", "param"), UNSUPPORTED.values(), ids=UNSUPPORTED)
def test_names_what_cannot_be_expressed(body: dict[str, Any], param: str) -> None:
    """What the API has no form for is refused by name, so that a fallback may take it."""
    with pytest.raises(GatewayError) as caught:
        sent(asked(**body))

    assert (caught.value.kind, caught.value.param) == (UNSUPPORTED_FEATURE, param)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"tools": [{"type": "custom", "custom": "x"}]}, "tools"),
    ],
)
def test_names_what_is_wrong(body: dict[str, Any], param: str) -> None:
    """What no provider could understand is the caller's to correct."""
    with pytest.raises(GatewayError) as caught:
        sent(asked(**body))

    assert (caught.value.kind, caught.value.param) == (INVALID_REQUEST, param)


@pytest.mark.parametrize("name", names_in(ANSWERS))
def test_means_what_was_recorded(name: str) -> None:
    """Each kind of answer is written as chat completions have it."""
    path = ANSWERS / f"{name}.json"

    completion = decoded(json.dumps(recorded(path)["given"]).encode())

    agrees(path, "told", json.loads(completion.raw))
    agrees(path, "finish", list(completion.finish_reasons))


def test_keeps_the_original_bytes() -> None:
    """A client of the same dialect gets the provider's own body."""
    body = b'{ "object":"response", "status":"completed", "output":[], "future": 1.50 }'

    assert decoded(body).native == Native("responses", body)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", table.BAD_UPSTREAM_REPLY),
        (b"[]", table.BAD_UPSTREAM_REPLY),
        (b"{}", table.BAD_UPSTREAM_REPLY),
        (b'{"object":"response","output":"text"}', table.BAD_UPSTREAM_REPLY),
        (b'{"object":"response","output":[],"x":"\xff"}', table.BAD_UPSTREAM_REPLY),
        (b'{"object":"response","status":"failed","error":{"code":"rate_limit_exceeded"}}', table.TARGET_RATE_LIMITED),
        (b'{"object":"response","status":"failed"}', table.TARGET_FAILED),
        (b'{"object":"response","status":"cancelled","error":null,"output":[]}', table.TARGET_FAILED),
        (b'{"object":"response","error":{"code":"invalid_prompt","message":"x"}}', table.CONTENT_BLOCKED),
    ],
    ids=lambda value: value[:60] if isinstance(value, bytes) else value.code,
)
def test_refuses_what_is_no_answer(body: bytes, kind: Kind) -> None:
    """Anything but a response is the provider's fault, and one that failed is a failure."""
    with pytest.raises(GatewayError) as caught:
        decoded(body)

    assert caught.value.kind is kind


@pytest.mark.parametrize("odd", ["7", '"x"', "{}", "[7]", '["x", null]'])
def test_odd_remarks_spoil_no_answer(odd: str) -> None:
    """Annotations and probabilities only add to a text: those of an unknown form are left out."""
    part = f'{{"type":"output_text","text":"hi","annotations":{odd},"logprobs":{odd}}}'
    body = f'{{"object":"response","status":"completed","output":[{{"type":"message","content":[{part}]}}]}}'

    choice = json.loads(decoded(body.encode()).raw)["choices"][0]

    assert (choice["message"]["content"], choice["logprobs"]) == ("hi", None)
    assert "annotations" not in choice["message"]


@pytest.mark.parametrize(("status", "kind"), [(401, table.TARGET_MISCONFIGURED), (503, table.TARGET_BUSY)])
def test_statuses_mean_what_they_mean_at_openai(status: int, kind: Kind) -> None:
    """Refusals are those of all of OpenAI's endpoints."""
    assert codec().error(status, {}, b"", 0.0).kind is kind


@settings(deadline=None)
@given(
    st.one_of(st.binary(max_size=60), st.binary(max_size=30).map(lambda junk: b'{"object":"response",' + junk + b"}"))
)
def test_reading_an_answer_is_total(body: bytes) -> None:
    """Whatever bytes come, there is a completion or a gateway error."""
    try:
        completion = decoded(body)
    except GatewayError:
        return

    assert json.loads(completion.raw)["object"] == "chat.completion"
