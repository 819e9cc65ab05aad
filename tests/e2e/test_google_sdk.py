"""Google's own SDK through the running gateway: Gemini's API is passed on as it is, with the key exchanged."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import pytest
from google import genai
from google.genai import errors, types

from tests.e2e.conftest import PROVIDER_KEY
from tests.e2e.support.upstream import LIMIT_S, Exchange, Script, Upstream
from tests.providers.conformance.dialects import DIALECTS
from tests.support.gateway import GatewayProcess, Start, running

KEY = "wz-of-a-team"
GEMINI = next(given for given in DIALECTS if given.name == "gemini")
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def gateway(upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run a gateway that passes Gemini's API on to those who have a key."""
    config = {
        "auth": {"required": True},
        "keys": [{"name": "team", "hash": f"sha256:{hashlib.sha256(KEY.encode()).hexdigest()}"}],
        "providers": {
            "gemini": {"kind": "gemini", "base_url": upstream.url.removesuffix("/v1"), "api_key": PROVIDER_KEY}
        },
        "passthrough": {"enabled": True, "providers": ["gemini"]},
    }
    with running(Start(config)) as process:
        yield process


@pytest.fixture
def client(gateway: GatewayProcess) -> Iterator[genai.Client]:
    """Talk to it as Google's users do, with the key of the gateway in a header."""
    options = types.HttpOptions(
        base_url=f"{gateway.url}/pass/gemini",
        api_version="v1beta",  # as in the base URL of the provider
        headers={"authorization": f"Bearer {KEY}"},
        timeout=int(LIMIT_S * 1000),
        retry_options=types.HttpRetryOptions(attempts=1),
    )
    with genai.Client(api_key="unused", http_options=options) as google:
        yield google


def whole(recording: str) -> Script:
    """Answer with a recorded whole answer."""
    return lambda exchange: exchange.answer(GEMINI.answer(recording))


def streamed(recording: str) -> Script:
    """Answer with a recorded stream."""

    def play(exchange: Exchange) -> None:
        exchange.begin()
        for piece in GEMINI.stream(recording):
            exchange.part(piece)
        exchange.end()

    return play


def parts(*answers: types.GenerateContentResponse) -> list[types.Part]:
    """Return the parts of an answer, in one piece or in many."""
    contents = [candidate.content for answer in answers for candidate in answer.candidates or []]
    return [part for content in contents if content is not None for part in content.parts or []]


def test_a_picture_and_a_text(client: genai.Client, upstream: Upstream) -> None:
    """The provider gets what the SDK sent, with its own key; the SDK reads text and usage."""
    upstream.on("gemini-text", whole("text"))

    answer = client.models.generate_content(
        model="gemini-text",
        contents=types.UserContent([types.Part.from_bytes(data=PNG, mime_type="image/png"), types.Part(text="What?")]),
    )

    (received,) = upstream.received("gemini-text")
    assert answer.text == 'Grüß dich 👋 "ok"\n'
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.total_token_count == 13
    assert (received.path, received.headers["x-goog-api-key"]) == (
        "/v1beta/models/gemini-text:generateContent",
        PROVIDER_KEY,
    )
    assert b"iVBORw0KGgo=" in received.body
    assert KEY not in str(received.headers)


def test_a_stream(client: genai.Client, upstream: Upstream) -> None:
    """It arrives piece by piece, and whole."""
    upstream.on("gemini-live", streamed("text"))

    pieces = list(client.models.generate_content_stream(model="gemini-live", contents="Hello."))

    assert len(pieces) > 1
    assert "".join(part.text or "" for part in parts(*pieces)) == 'Grüß dich 👋 "ok"\n'


@pytest.mark.parametrize("live", [False, True])
def test_tools_and_thoughts(client: genai.Client, upstream: Upstream, live: bool) -> None:
    """Calls of tools and thoughts come as Gemini has them."""
    upstream.on("gemini-tools", streamed("tools") if live else whole("tools"))
    upstream.on("gemini-thinks", streamed("reasoning") if live else whole("reasoning"))
    ask = client.models.generate_content_stream if live else client.models.generate_content

    called, thought = (ask(model=model, contents="Hello.") for model in ("gemini-tools", "gemini-thinks"))

    calls, thoughts = (
        parts(*([given] if isinstance(given, types.GenerateContentResponse) else given)) for given in (called, thought)
    )
    assert any(part.function_call is not None and part.function_call.name == "get_weather" for part in calls)
    assert any(part.thought for part in thoughts)


@pytest.mark.parametrize("live", [False, True])
def test_a_refusal(client: genai.Client, upstream: Upstream, live: bool) -> None:
    """The SDK raises the error of the provider's own status."""
    body = b'{"error":{"code":400,"message":"Too long.","status":"INVALID_ARGUMENT"}}'
    upstream.on("gemini-refuses", lambda exchange: exchange.answer(body, 400))
    ask = client.models.generate_content_stream if live else client.models.generate_content

    with pytest.raises(errors.ClientError) as caught:
        list(ask(model="gemini-refuses", contents="Hello."))

    assert (caught.value.code, caught.value.message) == (400, "Too long.")


def test_a_gateway_key_is_needed(gateway: GatewayProcess) -> None:
    """What the SDK sends as Google's key is none of the gateway's."""
    options = types.HttpOptions(base_url=f"{gateway.url}/pass/gemini", retry_options=types.HttpRetryOptions(attempts=1))

    with (
        genai.Client(api_key=PROVIDER_KEY, http_options=options) as google,
        pytest.raises(errors.ClientError) as caught,
    ):
        google.models.generate_content(model="gemini-text", contents="Hello.")

    assert caught.value.code == 401
