"""Providers that speak their own dialects, scripted on a socket, behind the running gateway and OpenAI's SDK."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import msgspec
import openai
import pytest

from tests.e2e.conftest import openai_client
from tests.e2e.support.answers import in_turn
from tests.e2e.support.answers import whole as answering
from tests.e2e.support.upstream import Exchange, Script, Upstream
from tests.providers.conformance.dialects import DIALECTS, Dialect, aws_message
from tests.support.gateway import LOCAL, GatewayProcess, Start, running

USER: Any = [{"role": "user", "content": "Hello."}]
TOOLS: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]
AWS = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "secret", "region": "eu-central-1"}
MEDIA = {".sse": "text/event-stream", ".ndjson": "application/x-ndjson", ".json": "application/vnd.amazon.eventstream"}
NATIVE = ("anthropic", "bedrock", "cohere", "gemini", "ollama")
OPENAI = answering(b'{"choices":[{"message":{"content":"hi"},"finish_reason":"stop"}]}')
EVERY = pytest.mark.parametrize("name", NATIVE)
# Where the model stands, or what the address is, and how the key is sent.
SIGNS = {
    "anthropic": ("/v1/messages", "x-api-key", "k-anthropic"),
    "bedrock": ("/model/bedrock-text/converse", "authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"),
    "cohere": ("/v2/chat", "authorization", "Bearer k-cohere"),
    "gemini": ("/v1beta/models/gemini-text:generateContent", "x-goog-api-key", "k-gemini"),
    "ollama": ("/api/chat", "user-agent", "wizard/"),
}


@pytest.fixture(scope="module")
def native_gateway(upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run a gateway with a provider for each dialect, all of them the scripted one."""
    root = upstream.url.removesuffix("/v1")
    providers: dict[str, Any] = {name: {"kind": name, "base_url": root, "api_key": f"k-{name}"} for name in NATIVE}
    providers["bedrock"] = {"kind": "bedrock", "base_url": root, **AWS}
    del providers["ollama"]["api_key"]
    providers["azure"] = {"kind": "azure", "base_url": root, "api_key": "k-azure", "api_version": "2024-10-21"}
    providers["azure1"] = {"kind": "azure", "base_url": root, "api_keys": ["k-1", "k-2"]}
    providers["compatible"] = {"kind": "ollama", "base_url": upstream.url}
    providers["mistral"] = {"kind": "mistral", "base_url": upstream.url}
    providers["strict"] = {"kind": "gemini", "base_url": root, "unsupported": "error"}
    providers["open"] = {"kind": "gemini", "base_url": root, "unsupported": "pass"}
    config = {
        "providers": providers,
        "models": {
            "across": {"targets": [{"provider": name, "model": f"{name}-across"} for name in NATIVE]},
            "fitting": {
                "targets": [{"provider": "ollama", "model": "o"}, {"provider": "gemini", "model": "gemini-fit"}]
            },
        },
        "retry": {"base_s": 0.01, "max_s": 0.01, "max_attempts": 2, "budget_floor_per_s": 1000},
        "circuit_breaker": {"enabled": False},
    }
    with running(Start(config)) as process:
        yield process


@pytest.fixture(scope="module")
def native(native_gateway: GatewayProcess) -> Iterator[openai.OpenAI]:
    """Talk to it through OpenAI's own client."""
    with openai_client(f"{native_gateway.url}/v1") as client:
        yield client


@pytest.fixture
def plain(native_gateway: GatewayProcess) -> Iterator[httpx2.Client]:
    """Talk to it without an SDK."""
    with httpx2.Client(base_url=native_gateway.url, **LOCAL) as client:
        yield client


def dialect(name: str) -> Dialect:
    """Return a dialect with its recordings."""
    return next(given for given in DIALECTS if given.name == name)


def whole(name: str, recording: str) -> Script:
    """Answer with a recorded whole answer."""
    return lambda exchange: exchange.answer(dialect(name).answer(recording))


def streamed(name: str, recording: str, *, kept: int | None = None) -> Script:
    """Answer with a recorded stream, or break the connection behind its first `kept` events."""
    pieces = dialect(name).stream(recording)

    def play(exchange: Exchange) -> None:
        exchange.begin(media_type=MEDIA[dialect(name).suffix])
        for piece in pieces[:kept]:
            exchange.part(piece)
        if kept is None:
            exchange.end()
        else:
            exchange.break_off()

    return play


def refused(status: int, body: bytes = b"{}", headers: tuple[str, ...] = ()) -> Script:
    """Answer with a refusal."""
    return lambda exchange: exchange.answer(body, status, headers)


@EVERY
def test_whole_answers(native: openai.OpenAI, upstream: Upstream, name: str) -> None:
    """The SDK reads the answer of each provider, asked at its own address with its own kind of key."""
    upstream.on(f"{name}-text", whole(name, "text"))

    answer = native.chat.completions.create(model=f"{name}/{name}-text", messages=USER)

    received = upstream.received(f"{name}-text")[0]
    path, header, value = SIGNS[name]
    assert answer.choices[0].message.content == 'Grüß dich 👋 "ok"\n'
    assert (answer.usage and answer.usage.total_tokens, answer.choices[0].finish_reason) == (13, "stop")
    assert (received.path, received.headers[header].startswith(value)) == (path, True)


@EVERY
def test_streamed_answers(native: openai.OpenAI, upstream: Upstream, name: str) -> None:
    """The SDK reads the stream of each provider, with the usage it asked for."""
    upstream.on(f"{name}-live", streamed(name, "text"))

    chunks = list(
        native.chat.completions.create(
            model=f"{name}/{name}-live", messages=USER, stream=True, stream_options={"include_usage": True}
        )
    )

    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == 'Grüß dich 👋 "ok"\n'
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 13


@EVERY
@pytest.mark.parametrize("stream", [False, True])
def test_tool_calls(native: openai.OpenAI, upstream: Upstream, name: str, *, stream: bool) -> None:
    """Parallel tool calls come whole, and through the SDK's own stream helper."""
    upstream.on(f"{name}-tools", streamed(name, "tools") if stream else whole(name, "tools"))

    message: Any
    if stream:
        with native.chat.completions.stream(model=f"{name}/{name}-tools", messages=USER) as events:
            message = events.get_final_completion().choices[0].message
    else:
        message = native.chat.completions.create(model=f"{name}/{name}-tools", messages=USER).choices[0].message

    calls = message.tool_calls
    assert [call.function.name for call in calls] == ["get_weather", "get_time"]
    assert [msgspec.json.decode(call.function.arguments) for call in calls] == [{"city": "Oslo"}, {}]


@EVERY
@pytest.mark.parametrize("stream", [False, True])
def test_reasoning(native: openai.OpenAI, upstream: Upstream, name: str, *, stream: bool) -> None:
    """Reasoning is told apart from the answer."""
    upstream.on(f"{name}-think", streamed(name, "reasoning") if stream else whole(name, "reasoning"))
    model = f"{name}/{name}-think"

    if stream:
        chunks = native.chat.completions.create(model=model, messages=USER, stream=True)
        deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
        thoughts = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
        text = "".join(delta.content or "" for delta in deltas)
    else:
        message = native.chat.completions.create(model=model, messages=USER).choices[0].message
        thoughts, text = getattr(message, "reasoning_content", ""), message.content or ""

    assert (thoughts, text) == ("They greet.", "Hi!")


@EVERY
def test_a_broken_stream_is_no_answer(native: openai.OpenAI, upstream: Upstream, name: str) -> None:
    """A provider that leaves in the middle makes the SDK raise, in every dialect."""
    upstream.on(f"{name}-dies", streamed(name, "text", kept=3 if name in {"anthropic", "bedrock", "cohere"} else 1))

    def read() -> None:
        for _ in native.chat.completions.create(model=f"{name}/{name}-dies", messages=USER, stream=True):
            continue

    with pytest.raises(openai.APIError):
        read()


@EVERY
def test_a_busy_provider_is_tried_again(plain: httpx2.Client, upstream: Upstream, name: str) -> None:
    """A failure of the provider is retried before anything is shown."""
    upstream.on(f"{name}-again", in_turn(refused(500), streamed(name, "text")))

    body = {"model": f"{name}/{name}-again", "messages": USER, "stream": True}
    reply = plain.post("/v1/chat/completions", json=body)

    assert reply.headers["x-wizard-attempts"] == "2"
    assert reply.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("stream", [False, True])
def test_fallback_goes_across_dialects(plain: httpx2.Client, upstream: Upstream, *, stream: bool) -> None:
    """One request passes through every dialect until somebody answers it."""
    for name in NATIVE[:-1]:
        upstream.on(f"{name}-across", refused(503))
    upstream.on("ollama-across", streamed("ollama", "text") if stream else whole("ollama", "text"))

    reply = plain.post("/v1/chat/completions", json={"model": "across", "messages": USER, "stream": stream})

    assert (reply.status_code, reply.headers["x-wizard-model"]) == (200, "ollama-across")
    assert reply.headers["x-wizard-fallback"] == "4"
    assert "Grüß dich" in reply.text


def test_what_one_dialect_cannot_say_another_may(plain: httpx2.Client, upstream: Upstream) -> None:
    """A part that the first target cannot express goes to the one that can."""
    upstream.on("gemini-fit", whole("gemini", "text"))
    body = {"model": "fitting", "messages": USER, "tools": TOOLS, "tool_choice": "required"}

    reply = plain.post("/v1/chat/completions", json=body)

    assert (reply.status_code, reply.headers["x-wizard-model"]) == (200, "gemini-fit")


def test_unsupported_parts_are_named(native: openai.OpenAI) -> None:
    """Where nobody can express a part, the refusal says which one."""
    with pytest.raises(openai.BadRequestError) as caught:
        native.chat.completions.create(model="ollama/o", messages=USER, n=2)

    assert (caught.value.code, caught.value.param) == ("unsupported_feature", "n")


@pytest.mark.parametrize(
    ("provider", "status", "dropped", "sent"),
    [("gemini", 200, "user", False), ("strict", 400, None, False), ("open", 200, None, True)],
)
def test_harmless_parameters_follow_the_policy(
    plain: httpx2.Client, upstream: Upstream, provider: str, status: int, dropped: str | None, *, sent: bool
) -> None:
    """They are dropped and reported, refused, or sent as they are."""
    upstream.on("gemini-user", whole("gemini", "text"))

    body = {"model": f"{provider}/gemini-user", "messages": USER, "user": "u-1"}
    reply = plain.post("/v1/chat/completions", json=body)

    assert (reply.status_code, reply.headers.get("x-wizard-dropped-params")) == (status, dropped)
    assert [b"u-1" in received.body for received in upstream.received("gemini-user")] == (
        [sent] if status == 200 else []
    )


def test_blocked_content_is_told(native: openai.OpenAI, upstream: Upstream) -> None:
    """A prompt that a provider blocks is the caller's to change, in a stream as well."""
    blocked = b'{"promptFeedback":{"blockReason":"SAFETY"}}'
    upstream.on("gemini-blocked", lambda exchange: exchange.answer(blocked))

    with pytest.raises(openai.BadRequestError) as caught:
        native.chat.completions.create(model="gemini/gemini-blocked", messages=USER)

    assert caught.value.code == "content_blocked"


def test_an_exception_in_a_stream_of_aws(plain: httpx2.Client, upstream: Upstream) -> None:
    """An exception message in place of the first event is a refusal of its own kind."""
    headers = {":message-type": "exception", ":exception-type": "throttlingException"}

    def play(exchange: Exchange) -> None:
        exchange.begin(media_type="application/vnd.amazon.eventstream")
        exchange.part(aws_message(headers, b'{"message":"x"}'))
        exchange.end()

    upstream.on("bedrock-slow", play)
    body = {"model": "bedrock/bedrock-slow", "messages": USER, "stream": True}
    reply = plain.post("/v1/chat/completions", json=body)

    assert (reply.status_code, reply.json()["error"]["code"]) == (429, "target_rate_limited")


@pytest.mark.parametrize(
    ("provider", "path", "key"),
    [
        ("azure", "/openai/deployments/dep/chat/completions?api-version=2024-10-21", "k-azure"),
        ("azure1", "/openai/v1/chat/completions", "k-1"),
    ],
)
def test_azure(native: openai.OpenAI, upstream: Upstream, provider: str, path: str, key: str) -> None:
    """Azure is asked at the deployment's address, or at its v1 API, with its own header."""
    upstream.on("dep", OPENAI)

    answer = native.chat.completions.create(model=f"{provider}/dep", messages=USER)

    received = upstream.received("dep")[0]
    assert answer.choices[0].message.content == "hi"
    assert (received.path, received.headers["api-key"], "authorization" in received.headers) == (path, key, False)


def test_compatible_endpoints_are_spoken_to_in_openais_dialect(native: openai.OpenAI, upstream: Upstream) -> None:
    """A native kind at the address of its compatible endpoint speaks OpenAI's dialect."""
    upstream.on("compat", OPENAI)

    native.chat.completions.create(model="compatible/compat", messages=USER)

    assert upstream.received("compat")[0].path == "/v1/chat/completions"


def test_quirks_of_compatible_servers(plain: httpx2.Client, upstream: Upstream) -> None:
    """Fields that a server knows by another name are renamed, those that it refuses are dropped and reported."""
    upstream.on("quirk", OPENAI)
    body = {"model": "mistral/quirk", "messages": USER, "seed": 7, "max_completion_tokens": 5, "user": "u"}

    reply = plain.post("/v1/chat/completions", json=body)

    sent = upstream.received("quirk")[0].body
    assert reply.headers["x-wizard-dropped-params"] == "user"
    assert (b'"random_seed":7' in sent, b'"max_tokens":5' in sent, b'"user":' in sent) == (True, True, False)


@pytest.mark.parametrize("name", ["bedrock", "cohere", "gemini", "ollama"])
@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings(native: openai.OpenAI, upstream: Upstream, name: str, encoding: Any) -> None:  # noqa: ANN401 - a literal
    """Embeddings of each provider come in either encoding."""
    answer_path = dialect(name).folder("embeddings", "answer.json")
    model = "titan-embed" if name == "bedrock" else f"{name}-embed"
    upstream.on(model, lambda exchange: exchange.answer(answer_path.read_bytes()))
    given = "a" if name == "bedrock" else ["a", "b"]

    answer = native.embeddings.create(model=f"{name}/{model}", input=given, encoding_format=encoding)

    expected = [0.5, -0.25]
    if encoding == "float":
        assert answer.data[0].embedding == expected
    else:
        raw = native.embeddings.with_raw_response.create(model=f"{name}/{model}", input=given, encoding_format=encoding)
        assert raw.http_response.json()["data"][0]["embedding"] == "AAAAPwAAgL4="
    assert len(answer.data) == (1 if name == "bedrock" else 2)


def test_rerank(plain: httpx2.Client, upstream: Upstream) -> None:
    """Cohere puts documents in order."""
    upstream.on("rerank-v3.5", answering(dialect("cohere").folder("rerank", "answer.json").read_bytes()))
    body = {"model": "cohere/rerank-v3.5", "query": "q", "documents": ["a", "b"], "return_documents": True}

    answer = plain.post("/v1/rerank", json=body).json()

    assert [result["index"] for result in answer["results"]] == [1, 0]
    assert answer["results"][0]["document"] == {"text": "b"}
    assert upstream.received("rerank-v3.5")[0].path == "/v2/rerank"
