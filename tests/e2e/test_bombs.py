"""Bodies that would be a thousand times as large unpacked, from clients and from providers, at the running gateway."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import brotli  # type: ignore[import-untyped]
import httpx2
import pytest

from tests.e2e.conftest import PROVIDER_KEY
from tests.e2e.support.answers import whole
from tests.e2e.support.memory import memory_mb
from tests.e2e.support.upstream import Upstream
from tests.support.gateway import LOCAL, GatewayProcess, Start, running

UNPACKED_MB = 512
GROWTH_MAX_MB = 64
TOKEN = "token-of-the-administration-0123456789"
SECRET = b"what-a-provider-packed"
PIECE = SECRET + bytes((1 << 20) - len(SECRET))


@cache
def gzip_bomb() -> bytes:
    """Return half a megabyte of gzip."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([packer.compress(PIECE) for _ in range(UNPACKED_MB)]) + packer.flush()


@cache
def brotli_bomb() -> bytes:
    """Return some kilobytes of brotli."""
    packer = brotli.Compressor(quality=5)
    packed: list[bytes] = [*(packer.process(PIECE) for _ in range(UNPACKED_MB)), packer.finish()]
    return b"".join(packed)


@cache
def zstd_bomb() -> bytes:
    """Return 16 KB of zstd: a frame of blocks that each say to repeat a byte 128 Ki times (RFC 8878, 3.1.1.2)."""
    last = UNPACKED_MB * 8 - 1
    heads = [(128 << 10) << 3 | 1 << 1 | (number == last) for number in range(last + 1)]
    return b"\x28\xb5\x2f\xfd\x00\x58" + b"".join([head.to_bytes(3, "little") + b"0" for head in heads])


BOMBS = {"gzip": gzip_bomb, "br": brotli_bomb, "zstd": zstd_bomb}
codings = pytest.mark.parametrize("coding", BOMBS)


@pytest.fixture(scope="module")
def gateway(upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run a gateway that asks the same provider through the pool and, as through a proxy, with its other client."""
    box = {"kind": "openai", "base_url": upstream.url, "api_key": PROVIDER_KEY}
    far = {**box, "base_url": "http://llm.example/v1", "proxy": upstream.url.removesuffix("/v1")}
    config = {
        "providers": {"box": box, "far": far, "sim": {"kind": "sim"}},
        "passthrough": {"enabled": True, "providers": ["box", "far"], "unguarded": True},
        "retry": {"max_attempts": 1},
        "circuit_breaker": {"enabled": False},
        "admin": {"token": TOKEN},
    }
    with running(Start(config)) as process:
        yield process


@pytest.fixture
def http(gateway: GatewayProcess, upstream: Upstream) -> Iterator[httpx2.Client]:
    """Talk to the gateway, which has done all of its kinds of work before, and see what memory that took."""
    upstream.on("calm", whole())
    headers = {"authorization": f"Bearer {TOKEN}"}
    with httpx2.Client(base_url=gateway.url, **LOCAL, headers=headers) as client:
        for model in ("sim/echo", "box/calm", "far/calm"):
            assert client.post("/v1/chat/completions", json=chat(model)).status_code == 200
        before = memory_mb(gateway)
        yield client
        assert memory_mb(gateway) - before < GROWTH_MAX_MB


def chat(model: str, *, stream: bool = False) -> dict[str, Any]:
    """Return a request."""
    return {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": stream}


@codings
@pytest.mark.parametrize(
    ("path", "media"),
    [
        ("/v1/chat/completions", "application/json"),
        ("/v1/messages", "application/json"),
        ("/v1/embeddings", "application/json"),
        ("/v1/audio/transcriptions", "multipart/form-data; boundary=x"),
        ("/pass/box/chat/completions", "application/json"),
        ("/v1/sessions", "application/json"),
    ],
)
def test_packed_requests(http: httpx2.Client, coding: str, path: str, media: str) -> None:
    """They are refused as they are, wherever bodies are read."""
    answer = http.post(path, content=BOMBS[coding](), headers={"content-type": media, "content-encoding": coding})

    error = answer.json().get("error")
    assert answer.status_code == 415
    assert "ompressed" in error["message"]


@codings
@pytest.mark.parametrize("path", ["/admin/keys", "/admin/explain"])
def test_packed_requests_of_operators(http: httpx2.Client, coding: str, path: str) -> None:
    """The administration takes them for what they are as well: no JSON, or too much of it."""
    answer = http.post(path, content=BOMBS[coding](), headers={"content-encoding": coding})

    assert answer.status_code in {400, 413}
    assert answer.json()["error"]["source"] == "gateway"


@codings
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("provider", ["box", "far"])
def test_packed_answers(http: httpx2.Client, upstream: Upstream, provider: str, stream: bool, coding: str) -> None:
    """Nobody asked for them: the provider has failed."""
    upstream.on("bomb", whole(BOMBS[coding](), 200, (f"content-encoding: {coding}",)))

    answer = http.post("/v1/chat/completions", json=chat(f"{provider}/bomb", stream=stream))

    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "bad_upstream_reply")
    assert [request.headers["accept-encoding"] for request in upstream.received("bomb")] == ["identity"]


@codings
@pytest.mark.parametrize(("status", "told"), [(400, 400), (500, 502), (503, 503)])
@pytest.mark.parametrize("provider", ["box", "far"])
def test_packed_errors(
    http: httpx2.Client, upstream: Upstream, provider: str, status: int, told: int, coding: str
) -> None:
    """Their status counts, and nothing of what they say is unpacked or shown."""
    upstream.on("bomb", whole(BOMBS[coding](), status, (f"content-encoding: {coding}",)))

    answer = http.post("/v1/chat/completions", json=chat(f"{provider}/bomb"))

    assert (answer.status_code, answer.json()["error"]["source"]) == (told, "upstream")
    assert SECRET not in answer.content
    assert len(answer.content) < 2000


@codings
@pytest.mark.parametrize("provider", ["box", "far"])
def test_packed_answers_to_what_is_passed_on(
    http: httpx2.Client, upstream: Upstream, provider: str, coding: str
) -> None:
    """The same holds where the gateway does not read what it passes on."""
    upstream.on("bomb", whole(BOMBS[coding](), 200, (f"content-encoding: {coding}",)))

    answer = http.post(f"/pass/{provider}/chat/completions", json=chat("bomb"))

    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "bad_upstream_reply")
