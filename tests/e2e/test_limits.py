"""Rate limits as callers and operators meet them: over HTTP, in one gateway and in several that share a Redis."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import anthropic
import httpx2
import msgspec
import openai
import pytest

from tests.e2e.conftest import openai_client
from tests.e2e.support.answers import streamed, whole
from tests.e2e.support.upstream import Upstream
from tests.support.gateway import LOCAL, GatewayProcess, Start, eventually, running
from tests.support.redis_server import RedisServer, redis_server

ADMIN = {"authorization": "Bearer canary-token"}
BASE: dict[str, Any] = {
    "providers": {"sim": {"kind": "sim", "models": ["echo"]}, "spare": {"kind": "sim", "models": ["echo"]}},
    "models": {
        "pair": {"targets": [{"provider": "sim", "model": "echo"}, {"provider": "spare", "model": "echo"}]},
    },
    "retry": {"max_attempts": 1},
    "admin": {"token": "canary-token"},
}
# Each test has a model of its own, and each limit is for one of them, so that one gateway serves many tests.
LIMITS: list[dict[str, Any]] = [
    {"name": "everyone", "per": "route", "requests": 3, "window_s": 60, "models": ["sim/echo?id=requests-*"]},
    {"name": "sdk", "requests": 2, "window_s": 4, "models": ["sim/echo?id=sdk"]},
    {"name": "daily", "requests": 1, "window_s": 86_400, "models": ["sim/echo?id=daily"]},
    {"name": "keys", "per": "key", "requests": 1, "window_s": 60, "models": ["sim/echo?id=keys"]},
    {"name": "tpm", "per": "user", "tokens": 2000, "window_s": 86_400, "models": ["sim/echo?id=tokens"]},
    {"name": "left", "tokens": 6000, "window_s": 86_400, "models": ["sim/words*"]},
    {"name": "small", "tokens": 100, "models": ["sim/echo?id=small"]},
    {"name": "few", "per": "key", "concurrency": 2, "models": ["box/few"]},
    {"name": "rpm", "per": "provider", "requests": 1, "window_s": 60, "models": ["pair", "sim/echo?id=rpm"]},
    {"name": "trial", "requests": 1, "window_s": 60, "shadow": True, "models": ["sim/echo?id=trial"]},
    {"name": "wide", "requests": 10, "window_s": 60, "burst": 20, "models": ["sim/echo?id=listed"]},
    {"name": "dialects", "requests": 2, "window_s": 60, "models": ["sim/echo?id=dialects"]},
    {"name": "narrow", "per": ["key", "model"], "concurrency": 5, "models": ["sim/echo?id=listed"]},
]
COMPLETION = b'{"choices":[{"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}'
REMAINING = "x-ratelimit-remaining-requests"
PROMPT = "a b c d"  # four words, which are four tokens of sim


@contextmanager
def limited(*limits: dict[str, Any], **more: Any) -> Iterator[GatewayProcess]:  # noqa: ANN401 - settings
    """Run a gateway with these limits."""
    with running(Start({**BASE, "limits": list(limits), **more})) as gateway:
        yield gateway


@pytest.fixture(scope="module", params=["memory", "redis"])
def gateway(request: pytest.FixtureRequest, upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run a gateway for each place where buckets are kept."""
    providers = BASE["providers"] | {"box": {"kind": "openai", "base_url": upstream.url}}
    with ExitStack() as opened:
        more = {} if request.param == "memory" else {"redis": opened.enter_context(redis_server()).patient}
        yield opened.enter_context(limited(*LIMITS, providers=providers, **more))


def ask(
    gateway: GatewayProcess, model: str = "sim/echo", *, key: str | None = None, **fields: object
) -> httpx2.Response:
    """Make one call."""
    body = {"model": model, "messages": [{"role": "user", "content": PROMPT}], **fields}
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    url = f"{gateway.url}/v1/chat/completions"
    return httpx2.post(url, json=body, headers=headers, **LOCAL)


def levels(gateway: GatewayProcess, name: str) -> list[dict[str, Any]]:
    """Return how the buckets of one limit stand."""
    shown = httpx2.get(f"{gateway.url}/admin/limits", headers=ADMIN, **LOCAL).json()["limits"]
    return [level for limit in shown if limit["name"] == name for level in limit["levels"]]


def exhaust(sdk: openai.OpenAI, asked: Any) -> None:  # noqa: ANN401 - what the SDK takes
    """Make more calls in a row than one in two seconds."""
    for _ in range(20):
        sdk.chat.completions.create(**asked)


def statuses(answers: Sequence[httpx2.Response]) -> list[int]:
    """Return the statuses of answers."""
    return [answer.status_code for answer in answers]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_requests_are_limited(gateway: GatewayProcess, stream: bool) -> None:
    """The first ones pass and are told what is left; the next is refused by the contract, in JSON."""
    before = gateway.metric("wizard_rate_limited_total", limit="everyone")
    answers = [ask(gateway, f"sim/echo?id=requests-{stream}", stream=stream) for _ in range(4)]
    gateway.wait_for_log("rate_limit_exceeded", limit="everyone", measure="requests")
    counted = gateway.metric("wizard_rate_limited_total", limit="everyone") - before

    refused = answers[3]
    error = refused.json()["error"]
    assert statuses(answers) == [200, 200, 200, 429]
    assert [answer.headers["x-ratelimit-remaining-requests"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer.headers["x-ratelimit-limit-requests"] for answer in answers} == {"3"}
    assert answers[0].headers["x-ratelimit-reset-requests"] == "20s"
    assert (error["code"], error["type"], error["kind"]) == ("rate_limited", "rate_limit_error", "rate_limit")
    assert (error["limit"], error["source"], error["retryable"]) == ("everyone", "gateway", True)
    assert "'everyone' of 3 requests per minute" in error["message"]
    assert 0 < error["retry_after_s"] <= 20
    assert int(refused.headers["retry-after"]) == math.ceil(int(refused.headers["retry-after-ms"]) / 1000) <= 20
    assert (refused.headers["x-should-retry"], refused.headers["content-type"]) == ("true", "application/json")
    assert counted == 1


def test_the_official_sdk_understands_it(gateway: GatewayProcess) -> None:
    """It raises what its users expect, and gets in once the time has passed."""
    asked: Any = {"model": "sim/echo?id=sdk", "messages": [{"role": "user", "content": PROMPT}]}
    with openai_client(f"{gateway.url}/v1") as sdk:
        impatient = sdk.with_options(max_retries=0)
        with pytest.raises(openai.RateLimitError) as caught:
            exhaust(impatient, asked)
        answer = sdk.with_options(max_retries=4).chat.completions.create(**asked)

    assert (caught.value.status_code, caught.value.code) == (429, "rate_limited")
    assert answer.choices[0].message.content == PROMPT


def test_who_would_have_to_wait_long_is_told_not_to_retry(gateway: GatewayProcess) -> None:
    """Above a minute SDKs disagree about what to do."""
    refused = [ask(gateway, "sim/echo?id=daily"), ask(gateway, "sim/echo?id=daily")][1]

    assert (refused.status_code, refused.headers["x-should-retry"]) == (429, "false")
    assert int(refused.headers["retry-after"]) > 86_000
    assert refused.headers["x-ratelimit-reset-requests"].startswith(("24h0m0s", "23h59m"))


def test_callers_are_counted_apart(gateway: GatewayProcess) -> None:
    """By their keys, also where nobody knows whose these are, and nothing of a key is shown anywhere."""
    keys = ("sk-canary-a", "sk-canary-b", "sk-canary-a", None, None)
    answers = [ask(gateway, "sim/echo?id=keys", key=key) for key in keys]
    shown = msgspec.json.encode(levels(gateway, "keys")).decode() + gateway.stdout.text

    assert statuses(answers) == [200, 200, 429, 200, 429]
    assert "canary-a" not in shown


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_tokens_are_settled_to_the_truth(gateway: GatewayProcess, stream: bool) -> None:
    """Eight tokens a call, as sim counts; a thousand that might have been are given back."""
    user = f"user-{stream}"
    answers = [ask(gateway, "sim/echo?id=tokens", max_tokens=1000, stream=stream, user=user) for _ in range(5)]

    def used() -> list[int]:
        return [level["used"] for level in levels(gateway, "tpm") if level["of"] == {"tenant": "open", "user": user}]

    eventually(lambda: used()[0] <= 40, "the tokens were not settled")
    assert statuses(answers) == [200] * 5
    assert 30 <= used()[0]  # time fills the bucket meanwhile
    assert answers[0].headers["x-ratelimit-limit-tokens"] == "2000"


def test_a_stream_that_is_left_is_settled_to_what_was_seen(gateway: GatewayProcess) -> None:
    """The prompt and the words so far, not what was reserved."""
    model = "sim/words?words=500&tokens_per_s=50"
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": True, "max_tokens": 4000}
    with (
        httpx2.Client(**LOCAL) as client,
        client.stream("POST", f"{gateway.url}/v1/chat/completions", json=body) as answer,
    ):
        lines = answer.iter_lines()
        for _ in range(20):
            next(lines)
        reserved = levels(gateway, "left")[0]["used"]
    eventually(lambda: levels(gateway, "left")[0]["used"] < 500, "the stream was not settled")

    assert reserved > 3000


def test_what_could_never_fit_is_refused_for_good(gateway: GatewayProcess) -> None:
    """A 400 that names the field, since no wait would help."""
    model = "sim/echo?id=small"
    long_answer = ask(gateway, model, max_tokens=5000)
    long_prompt = ask(gateway, model, messages=[{"role": "user", "content": "word " * 500}])
    fits = ask(gateway, model)

    assert statuses([long_answer, long_prompt, fits]) == [400, 400, 200]
    errors = [answer.json()["error"] for answer in (long_answer, long_prompt)]
    assert [(error["code"], error["param"], error["limit"]) for error in errors] == [
        ("invalid_request", "max_tokens", "small"),
        ("invalid_request", "messages", "small"),
    ]
    assert long_answer.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_stored_answers_cost_a_request_and_no_tokens(stream: bool) -> None:
    """What no provider had to do is not counted as its work, but whoever asks is counted."""
    rule = {"name": "both", "requests": 5, "tokens": 3000, "window_s": 86_400}
    with limited(rule, cache={"enabled": True}) as gateway:
        answers = [ask(gateway, stream=stream, max_tokens=900) for _ in range(4)]

        def used() -> dict[str, int]:
            both = httpx2.get(f"{gateway.url}/admin/limits", headers=ADMIN, **LOCAL).json()["limits"]
            return {limit["measure"]: level["used"] for limit in both for level in limit["levels"]}

        eventually(lambda: used()["tokens"] < 900, "the tokens were not settled")
        found = used()

    assert [answer.headers["x-wizard-cache"] for answer in answers] == ["miss", "hit", "hit", "hit"]
    assert [answer.headers[REMAINING] for answer in answers] == ["4", "3", "2", "1"]
    assert (found["requests"], found["tokens"]) == (4, 8)


def test_calls_at_the_same_time_are_limited(gateway: GatewayProcess, upstream: Upstream) -> None:
    """The third is refused; once one has ended there is room again."""
    upstream.hold("few")
    with ThreadPoolExecutor(2) as crowd:
        slow = [crowd.submit(ask, gateway, "box/few")]
        held = [upstream.take("few")]
        slow.append(crowd.submit(ask, gateway, "box/few", stream=True))
        held.append(upstream.take("few"))
        refused = ask(gateway, "box/few")
        for exchange, answer in zip(held, (whole(), streamed()), strict=True):
            answer(exchange)
        answers = [each.result() for each in slow]
    upstream.on("few", whole())
    eventually(lambda: ask(gateway, "box/few").status_code == 200, "the places were not freed")

    assert statuses([*answers, refused]) == [200, 200, 429]
    assert (refused.json()["error"]["limit"], refused.headers["retry-after"]) == ("few", "1")


def test_a_full_provider_is_passed_by(gateway: GatewayProcess) -> None:
    """Its limit moves calls on to the next target; a call that has no other is told."""
    moved = [ask(gateway, "pair") for _ in range(2)]
    alone = ask(gateway, "sim/echo?id=rpm")

    error = alone.json()["error"]
    assert [answer.headers["x-wizard-provider"] for answer in moved] == ["sim", "spare"]
    assert (alone.status_code, error["provider"], error["code"], error["source"]) == (
        429,
        "sim",
        "rate_limited",
        "gateway",
    )


def test_a_providers_own_limit_is_told_apart(gateway: GatewayProcess) -> None:
    """Its 429 is the provider's word, with its time."""
    refused = ask(gateway, "sim/fail?status=429&retry_after_s=7")

    error = refused.json()["error"]
    assert (refused.status_code, error["code"], error["source"]) == (429, "target_rate_limited", "upstream")
    assert ("limit" in error, refused.headers["retry-after"]) == (False, "7")


def test_shadow_counts_and_lets_everybody_in(gateway: GatewayProcess) -> None:
    """Metric and log tell what it would have done."""
    answers = [ask(gateway, "sim/echo?id=trial") for _ in range(3)]
    gateway.wait_for_log("rate_limit_exceeded", limit="trial", shadow=True)
    counted = gateway.metric("wizard_rate_limited_shadow_total", limit="trial")
    refused = gateway.metric("wizard_rate_limited_total", limit="trial")

    assert (statuses(answers), counted, refused) == ([200] * 3, 2, 0)
    assert "x-ratelimit-limit-requests" not in answers[0].headers


def test_the_administration_lists_limits(gateway: GatewayProcess) -> None:
    """With what they allow and how they stand; not without the token."""
    ask(gateway, "sim/echo?id=listed")
    refused = gateway.get("/admin/limits")
    shown = httpx2.get(f"{gateway.url}/admin/limits", headers=ADMIN, **LOCAL).json()["limits"]

    assert refused.status_code == 401
    assert [limit["name"] for limit in shown] == [limit["name"] for limit in LIMITS]
    wide, narrow = (limit for limit in shown if limit["name"] in {"wide", "narrow"})
    assert (wide["per"], wide["requests"], wide["window_s"], wide["burst"]) == (["global"], 10, 60, 20)
    assert [(level["of"], level["remaining"], level["used"]) for level in wide["levels"]] == [({}, 19, 1)]
    assert (narrow["measure"], narrow["concurrency"], narrow["shadow"]) == ("concurrency", 5, False)
    assert [level["of"] for level in narrow["levels"]] == [{"key": "anonymous", "model": "sim/echo?id=listed"}]


def test_workers_without_redis_share_a_limit() -> None:
    """Each has its part, so that together they do not let in more."""
    limit = {"name": "everyone", "per": "key", "requests": 10, "window_s": 3600}  # of which 5 has fewer digits
    with limited(limit, server={"workers": 2}) as gateway, ThreadPoolExecutor(8) as crowd:
        found = statuses(list(crowd.map(lambda _: ask(gateway), range(40))))
        shown = levels(gateway, "everyone")

    assert 5 <= found.count(200) <= 10
    assert {level["of"]["key"] for level in shown} <= {"anonymous"}


def test_every_endpoint_is_limited(gateway: GatewayProcess) -> None:
    """In its own dialect: Anthropic's SDK raises what its users expect, embeddings and responses count as well."""
    model = {"model": "sim/echo?id=dialects"}
    messages: Any = [{"role": "user", "content": PROMPT}]
    plain = httpx2.Client(**LOCAL, base_url=gateway.url)
    with plain, anthropic.Anthropic(base_url=gateway.url, api_key="sk", max_retries=0) as sdk:
        first = plain.post("/v1/responses", json={**model, "input": PROMPT})
        second = plain.post("/v1/embeddings", json={**model, "input": PROMPT})
        with pytest.raises(anthropic.RateLimitError) as caught:
            sdk.messages.create(model=model["model"], messages=messages, max_tokens=8)

    answer = caught.value.response
    error = answer.json()["error"]
    assert [first.headers[REMAINING], second.headers[REMAINING]] == ["1", "0"]
    assert (error["type"], error["limit"], error["source"]) == ("rate_limit_error", "dialects", "gateway")
    assert error["details"] == {"error_code": "rate_limited"}
    assert (answer.json()["type"], answer.headers["x-should-retry"]) == ("error", "true")
    assert 0 < int(answer.headers["retry-after"]) <= 30


# --- several gateways -----------------------------------------------------------------------------------------------


def test_gateways_share_a_limit() -> None:
    """Whoever is asked: together they let in what one would."""
    limit = {"name": "everyone", "requests": 10, "window_s": 3600}
    with redis_server() as server, ExitStack() as opened:
        gateways = [opened.enter_context(limited(limit, redis=server.patient)) for _ in range(2)]
        with ThreadPoolExecutor(8) as crowd:
            found = statuses(list(crowd.map(lambda number: ask(gateways[number % 2]), range(30))))
        told = [ask(gateway) for gateway in gateways]

    assert found.count(200) == 10
    assert statuses(told) == [429, 429]


@pytest.mark.parametrize(("fail", "found"), [("local", [200, 429]), ("open", [200, 200]), ("closed", [503, 503])])
def test_without_redis_the_policy_decides(fail: str, found: list[int]) -> None:
    """Each gateway alone, everybody, or nobody; also if Redis never was there."""
    limit = {"name": "everyone", "requests": 1, "window_s": 3600}
    with limited(limit, redis={"url": "redis://127.0.0.1:1/0", "fail": {"limits": fail}}) as gateway:
        answers = [ask(gateway), ask(gateway)]

    assert statuses(answers) == found
    if fail == "closed":
        assert answers[0].json()["error"]["code"] == "state_unavailable"


def test_redis_may_come_and_go(redis: RedisServer) -> None:
    """Calls are decided all the time, and by Redis again when it is back."""
    limit = {"name": "everyone", "per": "key", "requests": 2, "window_s": 3600}
    with limited(limit, redis=redis.patient) as gateway:
        before = [ask(gateway, key="a") for _ in range(3)]
        redis.kill()
        during = [ask(gateway, key="b") for _ in range(3)]
        gateway.wait_for_metric("wizard_state_degraded", 1)
        redis.start()
        gateway.wait_for_metric("wizard_state_degraded", 0)
        after = [ask(gateway, key="c") for _ in range(3)]

    assert [statuses(answers) for answers in (before, during, after)] == [[200, 200, 429]] * 3


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """Run a Redis for one test that treats it badly."""
    with redis_server() as server:
        yield server


def test_a_provider_that_says_it_is_used_up_is_passed_by(upstream: Upstream) -> None:
    """With `follow_limits` its headers move calls on before it has to refuse them; metric and log tell of it."""
    headers = (
        "x-ratelimit-limit-requests: 60",
        "x-ratelimit-remaining-requests: 0",
        "x-ratelimit-reset-requests: 6m0s",
    )
    upstream.on("followed", lambda exchange: exchange.answer(COMPLETION, headers=headers))
    providers = {
        "box": {"kind": "openai", "base_url": upstream.url, "follow_limits": True},
        "sim": {"kind": "sim", "models": ["echo"]},
    }
    targets = [{"provider": "box", "model": "followed"}, {"provider": "sim", "model": "echo"}]
    with running(Start({**BASE, "providers": providers, "models": {"pair": {"targets": targets}}})) as gateway:
        moved = [ask(gateway, "pair") for _ in range(2)]
        alone = ask(gateway, "box/followed")
        gateway.wait_for_log("provider_limit_near", provider="box", measure="requests", remaining=0, limit=60)
        used = gateway.metric("wizard_provider_limit_used_ratio", provider="box", measure="requests")
        near = gateway.metric("wizard_provider_limit_near_total", provider="box", measure="requests")

    error = alone.json()["error"]
    assert [answer.headers["x-wizard-provider"] for answer in moved] == ["box", "sim"]
    assert len(upstream.received("followed")) == 1
    assert (alone.status_code, error["code"], error["source"]) == (429, "target_rate_limited", "gateway")
    assert (alone.headers["x-should-retry"], int(alone.headers["retry-after"]) > 300) == ("false", True)
    assert (used, near) == (1, 1)
