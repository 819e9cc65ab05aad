"""A provider that speaks the caller's dialect gets and gives the original bytes, whatever they hold."""

from __future__ import annotations

import anthropic
import httpx2
import openai
import pytest

from tests.e2e.conftest import PROVIDER_KEY
from tests.e2e.dialects.conftest import CALLER_KEY
from tests.e2e.support.answers import streamed, whole
from tests.e2e.support.upstream import Upstream


def _event(name: bytes, more: bytes) -> bytes:
    """Return an event, oddly spaced."""
    return b'event: %b\ndata: { "type":"%b"%b}\n\n' % (name, name, more)


MESSAGES = b"""{ "messages": [ {"role":"user","content":"H\\u0069","cache_control":{"type":"ephemeral"}} ],
  "model" : "anthropic/verbatim", "future": [1.50, 1e2], "max_tokens":9}"""
MESSAGE = b"""{ "type":"message", "id":"msg_1","role":"assistant","model":"m", "future":{"a":1e2},
 "content":[ {"type":"some_block","x":1.0}, {"type":"text","text":"\\u0048i"} ],"stop_reason":"end_turn",
 "stop_sequence":null, "usage":{"input_tokens":3,"output_tokens":2,"service_tier":"standard"}}"""
BEGUN = b"""{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,\
"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1}}"""
EVENTS = (
    _event(b"message_start", b',"message":%b' % BEGUN),
    _event(b"content_block_start", b',"index":0,"content_block":{"type":"some_block","future":1.50}'),
    _event(b"content_block_delta", b',"index":0,"delta":{"type":"some_delta","x":1e2}'),
    _event(b"ping", b""),
    _event(b"content_block_stop", b',"index":0'),
    _event(b"some_event", b',"future":[ ]'),
    _event(b"message_delta", b',"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":2}'),
    _event(b"message_stop", b""),
)
RESPONSES = b"""{ "input" : [{"role":"user","content":"H\\u0069"}], "previous_response_id":"resp_0",
  "model":"responses/verbatim", "tools":[{"type":"web_search","future":1.50}], "store":true, "background":false }"""
RESPONSE = b"""{ "id":"resp_1","object":"response","created_at":1,"status":"completed","model":"m","error":null,\
"output":[\
{"type":"some_item","id":"x_1","future":1.50},{"type":"message","id":"m_1","role":"assistant","status":"completed",\
"content":[{"type":"output_text","text":"\\u0048i","annotations":[]}]}],\
"usage":{"input_tokens":3,"output_tokens":2,"total_tokens":5,"future":1e2}}"""
RESPONSE_BEGUN = (
    b"""{"id":"resp_1","object":"response","created_at":1,"status":"in_progress","model":"m","output":[]}"""
)
RESPONSE_EVENTS = (
    _event(b"response.created", b',"sequence_number":0,"response":%b' % RESPONSE_BEGUN),
    _event(b"response.some_tool.searching", b',"sequence_number":1,"x":1.50'),
    _event(b"response.completed", b',"sequence_number":2,"response":%b' % RESPONSE),
)


def test_message_goes_through_byte_for_byte(plain: httpx2.Client, upstream: Upstream) -> None:
    """The provider gets the caller's body but for the model's name; the caller gets the provider's answer."""
    upstream.on("verbatim", whole(MESSAGE))

    answer = plain.post("/v1/messages", content=MESSAGES)

    (received,) = upstream.received("verbatim")
    assert received.path == "/v1/messages"
    assert received.body == MESSAGES.replace(b'"anthropic/verbatim"', b'"verbatim"')
    assert answer.content == MESSAGE
    assert answer.headers["request-id"] == answer.headers["x-request-id"]


def test_events_of_a_message_go_through_byte_for_byte(plain: httpx2.Client, upstream: Upstream) -> None:
    """Every event arrives as it was sent, the unknown ones included, in the same order."""
    upstream.on("verbatim", streamed(*EVENTS))

    answer = plain.post("/v1/messages", content=MESSAGES.replace(b'"max_tokens":9', b'"max_tokens":9,"stream":true'))

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.content == b"".join(EVENTS)


def test_response_goes_through_byte_for_byte(plain: httpx2.Client, upstream: Upstream) -> None:
    """What only the Responses API has (hosted tools, stored turns) works where the provider speaks it."""
    upstream.on("verbatim", whole(RESPONSE))

    answer = plain.post("/v1/responses", content=RESPONSES)

    (received,) = upstream.received("verbatim")
    assert received.path == "/v1/responses"
    assert received.body == RESPONSES.replace(b'"responses/verbatim"', b'"verbatim"')
    assert answer.content == RESPONSE


def test_events_of_a_response_go_through_byte_for_byte(plain: httpx2.Client, upstream: Upstream) -> None:
    """Every event arrives as it was sent, the unknown ones included, in the same order."""
    upstream.on("verbatim", streamed(*RESPONSE_EVENTS))

    answer = plain.post("/v1/responses", content=RESPONSES.replace(b'"store":true', b'"stream":true'))

    assert answer.content == b"".join(RESPONSE_EVENTS)


def test_headers_of_a_message(claude: anthropic.Anthropic, upstream: Upstream) -> None:
    """Version and betas reach the provider beside its own key; the caller's key does not."""
    upstream.on("verbatim", whole(MESSAGE))

    claude.beta.messages.create(
        model="anthropic/verbatim",
        max_tokens=9,
        messages=[{"role": "user", "content": "Hi"}],
        betas=["context-1m-2025-08-07", "some-beta"],
    )

    (received,) = upstream.received("verbatim")
    assert received.headers["x-api-key"] == PROVIDER_KEY
    assert "authorization" not in received.headers
    assert received.headers["anthropic-beta"] == "context-1m-2025-08-07,some-beta"
    assert received.headers["anthropic-version"] == claude.default_headers["anthropic-version"]
    assert CALLER_KEY not in str(received.headers)


@pytest.mark.parametrize("front", ["messages", "chat/completions", "responses"])
def test_version_of_a_translated_request(plain: httpx2.Client, upstream: Upstream, front: str) -> None:
    """A request that names no version gets the one that the gateway's translation is written for."""
    upstream.on("verbatim", whole(MESSAGE))
    user = [{"role": "user", "content": "Hi"}]

    plain.post(f"/v1/{front}", json={"model": "anthropic/verbatim", "max_tokens": 9, "messages": user, "input": user})

    (received,) = upstream.received("verbatim")
    assert received.path == "/v1/messages"
    assert received.headers["anthropic-version"] == "2023-06-01"


@pytest.mark.parametrize("behind", ["chat", "responses"])
def test_betas_stay_with_their_dialect(claude: anthropic.Anthropic, upstream: Upstream, behind: str) -> None:
    """A provider of another dialect is spared headers that mean nothing to it; nor is it an error to send them."""
    upstream.on("talker", whole(status=400))

    with pytest.raises(anthropic.BadRequestError):
        claude.messages.create(
            model=f"{behind}/talker",
            max_tokens=9,
            messages=[{"role": "user", "content": "Hi"}],
            extra_headers={"anthropic-beta": "some-beta"},
        )

    (received,) = upstream.received("talker")
    assert "anthropic-version" not in received.headers
    assert received.headers["authorization"] == f"Bearer {PROVIDER_KEY}"
    assert "x-api-key" not in received.headers


def test_official_clients_send_what_arrives(
    claude: anthropic.Anthropic, gpt: openai.OpenAI, upstream: Upstream
) -> None:
    """What the official clients send is what the provider receives, but for the model's name."""
    upstream.on("verbatim", whole(MESSAGE))
    direct = claude.with_options(base_url=upstream.url.removesuffix("/v1"))
    for client, model in ((direct, "verbatim"), (claude, "anthropic/verbatim")):
        client.messages.create(model=model, max_tokens=9, messages=[{"role": "user", "content": "Grüß dich"}])
    upstream.on("other", whole(RESPONSE))
    straight = gpt.with_options(base_url=upstream.url)
    for other, model in ((straight, "other"), (gpt, "responses/other")):
        other.responses.create(model=model, input="Grüß dich", reasoning={"effort": "low"}, store=False)

    for model in ("verbatim", "other"):
        sent, forwarded = upstream.received(model)
        assert sent.body == forwarded.body
        assert sent.path == forwarded.path
