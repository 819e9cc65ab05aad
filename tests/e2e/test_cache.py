"""A gateway with a cache, seen through OpenAI's own client and without one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest

from tests.e2e.conftest import configuration, openai_client
from tests.e2e.support.answers import DONE, FINISH, ROLE, WHOLE, dies, in_turn, refused, streamed, whole, word
from tests.e2e.support.upstream import Upstream
from tests.e2e.support.wire import connected
from tests.support.gateway import LOCAL, GatewayProcess, Start, running

ADMIN = {"authorization": "Bearer secret"}
USAGE = (
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],'
    b'"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n'
)
STREAM = (ROLE, word("one "), word("two"), FINISH, USAGE, DONE)


@pytest.fixture(scope="module")
def caching(upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run a gateway with a cache."""
    cache = {"enabled": True, "stale_if_error_s": 600}
    with running(Start({**configuration(upstream), "cache": cache, "admin": {"token": "secret"}})) as process:
        yield process


@pytest.fixture(scope="module")
def client(caching: GatewayProcess) -> Iterator[openai.OpenAI]:
    """Talk to it through OpenAI's own client."""
    with openai_client(f"{caching.url}/v1") as client:
        yield client


@pytest.fixture
def plain(caching: GatewayProcess) -> Iterator[httpx2.Client]:
    """Talk to it without one."""
    with httpx2.Client(base_url=caching.url, **LOCAL) as client:
        yield client


def asked(model: str, **fields: object) -> dict[str, Any]:
    """Return a request."""
    return {"model": f"box/{model}", "messages": [{"role": "user", "content": "Say one two."}], **fields}


def post(plain: httpx2.Client, body: dict[str, Any], **headers: str) -> httpx2.Response:
    """Make a call."""
    return plain.post(
        "/v1/chat/completions", json=body, headers={name.replace("_", "-"): v for name, v in headers.items()}
    )


def test_the_sdk_gets_stored_answers(upstream: Upstream, client: openai.OpenAI) -> None:
    """A whole answer is given again whole and as a stream; the provider was asked once."""
    upstream.on("sdk-whole", whole())
    create = client.chat.completions.with_raw_response.create

    answers = [create(**asked("sdk-whole")) for _ in range(2)]
    stream = client.chat.completions.create(**asked("sdk-whole", stream=True, stream_options={"include_usage": True}))
    chunks = list(stream)

    assert [answer.headers["x-wizard-cache"] for answer in answers] == ["miss", "hit"]
    assert answers[0].content == answers[1].content == WHOLE
    assert (answers[1].headers["age"], answers[1].headers["x-wizard-cost-usd"]) == ("0", "0.00000000")
    assert (answers[1].headers["x-wizard-provider"], answers[1].headers["x-wizard-model"]) == ("box", "sdk-whole")
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "one two"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.total_tokens == 5
    assert len(upstream.received("sdk-whole")) == 1


def test_the_sdk_gets_stored_streams(upstream: Upstream, client: openai.OpenAI) -> None:
    """What was streamed is given again as a stream and whole, with the usage that nobody had asked for."""
    upstream.on("sdk-stream", streamed(*STREAM))

    first, second = (list(client.chat.completions.create(**asked("sdk-stream", stream=True))) for _ in range(2))
    answer = client.chat.completions.create(**asked("sdk-stream"))

    texts = ["".join(chunk.choices[0].delta.content or "" for chunk in chunks) for chunks in (first, second)]
    assert texts == ["one two", "one two"]
    assert all(chunk.usage is None for chunk in (*first, *second))
    assert answer.choices[0].message.content == "one two"
    assert answer.usage is not None
    assert answer.usage.total_tokens == 5
    assert len(upstream.received("sdk-stream")) == 1


@pytest.mark.parametrize(("reason", "second"), [(b'"stop"', "hit"), (b'"length"', "miss"), (b"null", "miss")])
def test_whole_legacy_completions(upstream: Upstream, plain: httpx2.Client, reason: bytes, second: str) -> None:
    """Legacy completions are stored under the same condition as chat: that each choice came to its own end."""
    model = f"legacy-{reason.decode()}"
    upstream.on(model, whole(b'{"choices":[{"index":0,"text":"one two","finish_reason":' + reason + b"}]}"))

    answers = [plain.post("/v1/completions", json={"model": f"box/{model}", "prompt": "Say it."}) for _ in range(2)]

    assert [answer.headers["x-wizard-cache"] for answer in answers] == ["miss", second]
    assert answers[0].content == answers[1].content


def test_the_spelling_of_a_request_does_not_matter(upstream: Upstream, plain: httpx2.Client) -> None:
    """Other order, spaces and defaults are the same question; another field is another one."""
    upstream.on("spelling", whole())
    body = b'{"messages":[{"content":"Say one two.","role":"user"}],  "n":1, "stream":false, "model":"box/spelling"}'
    headers = {"content-type": "application/json"}

    first = post(plain, asked("spelling"))
    second = plain.post("/v1/chat/completions", content=body, headers=headers)
    third = post(plain, asked("spelling", future=[1]))

    assert [answer.headers["x-wizard-cache"] for answer in (first, second, third)] == ["miss", "hit", "miss"]


def test_callers_with_different_keys_share_nothing(upstream: Upstream, plain: httpx2.Client) -> None:
    """Each key has answers of its own, also where the gateway knows no keys."""
    upstream.on("keys", whole())

    found = [post(plain, asked("keys"), authorization=f"Bearer {key}").headers["x-wizard-cache"] for key in "abab"]

    assert found == ["miss", "miss", "hit", "hit"]


@pytest.mark.parametrize(
    ("headers", "outcome"),
    [
        ({"cache_control": "no-store"}, "bypass"),
        ({"cache_control": "no-cache"}, "bypass"),
        ({"cache_control": "max-age=0"}, "bypass"),
        ({"cache_control": "max-age=60"}, "hit"),
        ({"cache_control": "only-if-cached"}, "hit"),
        ({}, "hit"),
    ],
    ids=str,
)
def test_cache_control(upstream: Upstream, plain: httpx2.Client, headers: dict[str, str], outcome: str) -> None:
    """A caller decides whether a stored answer will do."""
    upstream.on("control", whole())
    post(plain, asked("control"))

    assert post(plain, asked("control"), **headers).headers["x-wizard-cache"] == outcome


def test_only_if_cached_without_an_answer(upstream: Upstream, plain: httpx2.Client) -> None:
    """It is a 504 that says why, and no provider was asked."""
    upstream.on("nothing", whole())

    answer = post(plain, asked("nothing"), cache_control="only-if-cached")

    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "not_cached")
    assert (answer.json()["error"]["kind"], answer.headers["x-should-retry"]) == ("cache", "false")
    assert answer.headers["x-wizard-cache"] == "miss"
    assert upstream.received("nothing") == []


def test_options_of_generate(upstream: Upstream, plain: httpx2.Client) -> None:
    """`caching` and `cache_ttl_s` do what the headers do, and the metadata say what the cache did."""
    upstream.on("generate", whole())
    body = {"model": "box/generate", "prompt": "Say one two."}

    def ask(**options: object) -> str:
        answer = plain.post("/v1/generate", json={**body, "options": options})
        found: str = answer.json()["wizard"]["cache"]
        return found

    assert [ask(cache_ttl_s=0), ask(caching=False), ask(), ask(), ask(caching=False)] == [
        "miss", "bypass", "miss", "hit", "bypass",
    ]  # fmt: skip


def test_a_caller_says_how_long(upstream: Upstream, plain: httpx2.Client) -> None:
    """`x-wizard-cache-ttl: 0` leaves nothing behind."""
    upstream.on("ttl", whole())

    found = [post(plain, asked("ttl"), x_wizard_cache_ttl="0").headers["x-wizard-cache"] for _ in range(2)]

    assert found == ["miss", "miss"]


def test_failures_and_broken_streams_leave_nothing_behind(upstream: Upstream, plain: httpx2.Client) -> None:
    """An error is told, a stream that breaks breaks; the next call asks again."""
    upstream.on("failing", in_turn(refused(400), dies(ROLE, word("one ")), streamed(*STREAM)))

    error = post(plain, asked("failing"))
    with pytest.raises(httpx2.RemoteProtocolError):
        post(plain, asked("failing", stream=True))
    good = post(plain, asked("failing", stream=True))

    assert (error.status_code, error.headers["x-wizard-cache"]) == (400, "miss")
    assert good.headers["x-wizard-cache"] == "miss"
    assert good.content.endswith(DONE)


def test_a_dead_provider_is_stood_in_for(upstream: Upstream, plain: httpx2.Client) -> None:
    """An answer that is too old is given with a warning if there is no new one."""
    upstream.on("dying", in_turn(whole(), refused(500)))
    post(plain, asked("dying"), x_wizard_cache_ttl="1")
    answers = [post(plain, asked("dying")) for _ in range(1)]

    while answers[-1].headers.get("warning") is None:
        answers.append(post(plain, asked("dying")))
        assert answers[-1].status_code == 200

    assert answers[-1].headers["warning"] == '111 - "Revalidation Failed"'
    assert (answers[-1].headers["x-wizard-cache"], answers[-1].content) == ("hit", WHOLE)


async def test_calls_at_the_same_time_are_one(upstream: Upstream, caching: GatewayProcess) -> None:
    """Twenty clients ask at once, the first one leaves, and the provider sees one request to its end."""
    upstream.hold("same")
    async with httpx2.AsyncClient(base_url=caching.url, **LOCAL) as client:

        async def ask() -> httpx2.Response:
            return await client.post("/v1/chat/completions", json=asked("same"))

        first = asyncio.ensure_future(ask())
        exchange = await asyncio.to_thread(upstream.take, "same")
        others = [asyncio.ensure_future(ask()) for _ in range(19)]
        await asyncio.to_thread(caching.wait_for_metric, "wizard_active_requests", 20)
        first.cancel()
        await asyncio.wait([first])
        await asyncio.to_thread(caching.wait_for_metric, "wizard_active_requests", 19)
        exchange.answer(WHOLE)
        answers = await asyncio.gather(*others)

    assert {answer.content for answer in answers} == {WHOLE}
    assert {answer.headers["x-wizard-cache"] for answer in answers} == {"coalesced"}
    assert len(upstream.received("same")) == 1


def test_the_last_client_that_leaves_ends_the_call(upstream: Upstream, caching: GatewayProcess) -> None:
    """With nobody left the provider is let go at once, as without a cache."""
    upstream.hold("left")
    with connected(caching.port) as wire:
        wire.post("/v1/chat/completions", asked("left"))
        exchange = upstream.take("left")

    assert exchange.peer_left()


def test_the_administration(upstream: Upstream, caching: GatewayProcess, plain: httpx2.Client) -> None:
    """An operator sees the cache, and forgets answers by model, prefix, key, or all of them; metrics count."""
    for model in ("admin-a", "admin-b", "admin-c"):
        upstream.on(model, whole())
        for _ in range(2):
            post(plain, asked(model))

    def forget(**conditions: str) -> int:
        answer = plain.delete("/admin/cache", params=conditions, headers=ADMIN)
        removed: int = answer.json()["removed"]
        return removed

    before = plain.get("/admin/cache", headers=ADMIN).json()
    counts = [
        forget(model="box/admin-a"),
        forget(model="box/admin-a"),
        forget(prefix="chat:box/admin-b:"),
        forget(key="x"),
    ]
    found = [post(plain, asked(model)).headers["x-wizard-cache"] for model in ("admin-a", "admin-b", "admin-c")]
    left = plain.get("/admin/cache", headers=ADMIN).json()["entries"]
    counts.append(forget(expired="true"))
    rest = forget()

    assert before["enabled"] is True
    assert before["store"] == "memory"
    assert before["hits"] >= 3
    assert (before["capacity"], before["evictions"]) == (1000, 0)
    assert before["bytes"] > 3 * len(WHOLE)
    assert before["age_s"] >= 0
    assert counts[:4] == [1, 0, 1, 0]
    assert found == ["miss", "miss", "hit"]
    assert left - counts[4] == rest
    assert caching.metric("wizard_cache_hits_total") >= before["hits"]
    assert caching.metric("wizard_cache_entries") == 0
    assert caching.metric("wizard_cache_capacity") == 1000


@pytest.mark.parametrize("query", ["mode=x", "model=", "expired=yes", "expired=false", "model=a&model=b"])
def test_a_misspelt_condition_deletes_nothing(plain: httpx2.Client, query: str) -> None:
    """What is not understood is refused, not taken for everything."""
    answer = plain.delete(f"/admin/cache?{query}", headers=ADMIN)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, query.partition("=")[0])


def test_the_administration_needs_its_token(plain: httpx2.Client) -> None:
    """Nobody else sees or forgets anything."""
    assert [plain.get("/admin/cache").status_code, plain.delete("/admin/cache").status_code] == [401, 401]


def test_without_a_cache(http: httpx2.Client, gateway: GatewayProcess, upstream: Upstream) -> None:
    """By default nothing is stored, and the metrics of the cache are there and zero."""
    upstream.on("off", whole())

    answers = [post(http, asked("off")) for _ in range(2)]
    nothing_else = post(http, asked("off"), cache_control="only-if-cached")

    assert len(upstream.received("off")) == 2
    assert (nothing_else.status_code, nothing_else.json()["error"]["code"]) == (504, "not_cached")
    assert [answer.headers["x-wizard-cache"] for answer in answers] == ["bypass"] * 2
    assert gateway.metric("wizard_cache_misses_total") == 0
