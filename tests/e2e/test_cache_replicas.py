"""Two gateways and one Redis: equal calls at the same time share one upstream call, and its answer is there for all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any

import httpx2
import openai
import pytest

from tests.e2e.conftest import configuration
from tests.e2e.support.answers import DONE, FINISH, ROLE, WHOLE, whole, word
from tests.e2e.support.upstream import LIMIT_S, Upstream
from tests.support.gateway import LOCAL, GatewayProcess, Start, eventually, launched, running
from tests.support.redis_server import RedisServer, redis_server

CALLS = 100
ADMIN = {"authorization": "Bearer secret"}
ASKED: dict[str, Any] = {"messages": [{"role": "user", "content": "Say one two."}]}


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """Run a Redis."""
    with redis_server() as server:
        yield server


@pytest.fixture(scope="module")
def pair(upstream: Upstream, redis: RedisServer) -> Iterator[list[GatewayProcess]]:
    """Run two replicas."""
    with ExitStack() as opened:
        yield [opened.enter_context(running(Start(config_of(upstream, redis)))) for _ in range(2)]


def config_of(upstream: Upstream, redis: RedisServer) -> dict[str, Any]:
    """Return the configuration of a replica."""
    shared = {"redis": redis.patient, "cache": {"enabled": True}, "admin": {"token": "secret"}}
    return {**configuration(upstream), **shared}


@asynccontextmanager
async def clients(pair: list[GatewayProcess]) -> AsyncIterator[list[openai.AsyncOpenAI]]:
    """Have a client of OpenAI for each replica; one that tried again by itself would make a call of its own."""
    async with openai.DefaultAsyncHttpxClient(**LOCAL) as plain:
        patient = openai.AsyncOpenAI(api_key="k", http_client=plain, timeout=LIMIT_S, max_retries=0)
        yield [patient.with_options(base_url=f"{each.url}/v1") for each in pair]


async def streamed(client: openai.AsyncOpenAI, model: str) -> tuple[str, str]:
    """Read a stream and return its text and what the cache did."""
    create = client.chat.completions.with_raw_response.create
    answer = await create(model=model, stream=True, **ASKED)
    pieces = [chunk.choices[0].delta.content or "" async for chunk in answer.parse() if chunk.choices]
    return "".join(pieces), answer.headers["x-wizard-cache"]


async def there(pair: list[GatewayProcess], each: int) -> None:
    """Return once so many calls are under way at each replica."""
    for gateway in pair:
        await asyncio.to_thread(gateway.wait_for_metric, "wizard_active_requests", each)


async def test_a_hundred_streams_are_one_upstream_call(upstream: Upstream, pair: list[GatewayProcess]) -> None:
    """A hundred equal streams over two replicas, begun before and while the answer comes, are one call upstream."""
    upstream.hold("crowd")
    model = "box/crowd"
    async with clients(pair) as able:
        tasks = [asyncio.ensure_future(streamed(able[n % 2], model)) for n in range(CALLS // 2)]
        exchange = await asyncio.to_thread(upstream.take, "crowd")

        exchange.begin()
        exchange.part(ROLE + word("one "))
        await there(pair, CALLS // 4)
        tasks += [asyncio.ensure_future(streamed(able[n % 2], model)) for n in range(CALLS // 2)]
        await there(pair, CALLS // 2)
        exchange.part(word("two") + FINISH + DONE)
        exchange.end()
        found = await asyncio.gather(*tasks)

    assert {text for text, _ in found} == {"one two"}
    assert len(upstream.received("crowd")) == 1
    outcomes = [outcome for _, outcome in found]
    assert (outcomes.count("miss"), outcomes.count("coalesced")) == (1, CALLS - 1)


def post(gateway: GatewayProcess, model: str, **headers: str) -> httpx2.Response:
    """Make a call."""
    body = {"model": f"box/{model}", **ASKED}
    return httpx2.post(f"{gateway.url}/v1/chat/completions", json=body, headers=headers, **LOCAL)


def outcome(gateway: GatewayProcess, model: str) -> str:
    """Make a call that has to succeed, and return what the cache did."""
    answer = post(gateway, model)
    assert answer.content == WHOLE
    found: str = answer.headers["x-wizard-cache"]
    return found


@contextmanager
def followed(redis: RedisServer) -> Iterator[None]:
    """
    Return once a call that was made inside has come so far that it waits for another replica's.

    It writes a letter to the other replica each second; when the second one comes, the first has been read.
    """

    def letters() -> int:
        return int(redis.do("INFO", "commandstats").get("cmdstat_rpush", {"calls": 0})["calls"])

    before = letters()
    yield
    eventually(lambda: letters() > before + 1, "the call never waited for that of the other replica")


def test_an_answer_is_there_for_all_replicas(upstream: Upstream, pair: list[GatewayProcess]) -> None:
    """What one has stored the other finds; what is deleted at one is gone from both, a second later at most."""
    upstream.on("shared", whole())
    one, two = pair
    found = [outcome(one, "shared"), outcome(two, "shared"), outcome(two, "shared")]

    shown = httpx2.get(f"{two.url}/admin/cache", headers=ADMIN, **LOCAL).json()
    gone = httpx2.delete(f"{one.url}/admin/cache?model=box/shared", headers=ADMIN, **LOCAL).json()
    eventually(lambda: outcome(two, "shared") == "miss", "the other replica never forgot its copy")

    assert found in (["miss", "hit", "hit"], ["miss", "coalesced", "hit"])  # it may still be on its way to Redis
    assert (shown["store"], shown["shared"]["entries"] >= 1, shown["shared"]["partial"]) == ("redis", True, False)
    assert gone == {"removed": 1}


def test_calls_that_are_equal_share_a_failure(
    upstream: Upstream, pair: list[GatewayProcess], redis: RedisServer
) -> None:
    """An error of the one upstream call is told by both replicas; the next call asks again."""
    upstream.hold("failing")
    with ThreadPoolExecutor() as pool:
        calls = [pool.submit(post, pair[0], "failing")]
        exchange = upstream.take("failing")
        with followed(redis):
            calls.append(pool.submit(post, pair[1], "failing"))
        exchange.answer(b'{"error":{"message":"No.","type":"x","code":"y"}}', 400)
        answers = [call.result() for call in calls]
        later = pool.submit(post, pair[1], "failing")
        upstream.take("failing").answer(WHOLE)

    assert [answer.status_code for answer in answers] == [400, 400]
    assert answers[0].json()["error"]["message"] == answers[1].json()["error"]["message"]
    assert answers[0].headers["x-wizard-model"] == answers[1].headers["x-wizard-model"]
    assert [answer.headers["x-wizard-attempts"] for answer in answers] == ["1", "0"]
    assert later.result().headers["x-wizard-cache"] == "miss"


def test_a_replica_that_dies_is_replaced(upstream: Upstream, redis: RedisServer) -> None:
    """If the replica that makes a call is killed, the other one makes it; its client notices nothing but the time."""
    upstream.hold("dying")
    with running(Start(config_of(upstream, redis))) as survivor, launched(Start(config_of(upstream, redis))) as victim:
        victim.wait_until_ready()
        with ThreadPoolExecutor() as pool:
            lost = pool.submit(post, victim, "dying")
            upstream.take("dying")
            with followed(redis):
                waiting = pool.submit(post, survivor, "dying")
            victim.process.kill()
            upstream.take("dying").answer(WHOLE)
            answer = waiting.result()

        assert isinstance(lost.exception(), httpx2.TransportError)
    assert (answer.content, answer.headers["x-wizard-cache"]) == (WHOLE, "miss")


def test_without_redis_calls_go_on(upstream: Upstream, pair: list[GatewayProcess], redis: RedisServer) -> None:
    """While it is frozen each replica has answers of its own, nobody fails, and it comes back by itself."""
    upstream.on("frozen", whole())
    one, two = pair
    outcome(one, "frozen")

    redis.freeze()
    found = [[outcome(gateway, "frozen") for _ in range(3)] for gateway in pair]
    redis.thaw()
    for gateway in pair:
        gateway.wait_for_metric("wizard_state_degraded", 0)
    upstream.on("thawed", whole())
    again = [outcome(one, "thawed"), outcome(two, "thawed")]

    assert found == [["hit"] * 3, ["miss", "hit", "hit"]]
    assert again in (["miss", "hit"], ["miss", "coalesced"])  # as above
