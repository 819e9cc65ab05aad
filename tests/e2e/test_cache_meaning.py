"""Answers to similar questions, through a gateway that asks a provider for vectors."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import msgspec
import pytest

from tests.e2e.conftest import configuration
from tests.e2e.support.answers import WHOLE, whole
from tests.e2e.support.upstream import Exchange, Upstream
from tests.support.gateway import LOCAL, GatewayProcess, Start, eventually, running
from tests.support.redis_server import redis_with

VECTORS = {"How tall is it?": [1, 0], "What is its height?": [0.97, 0.25], "What does it cost?": [0, 1]}


def embedded(exchange: Exchange) -> None:
    """Answer with the vector of the text."""
    text = msgspec.json.decode(exchange.request.body)["input"]
    vector = {"object": "embedding", "index": 0, "embedding": VECTORS[text]}
    body = {"object": "list", "data": [vector], "model": "m", "usage": {"prompt_tokens": 3, "total_tokens": 3}}
    exchange.answer(msgspec.json.encode(body))


SEMANTIC = {"enabled": True, "model": "box/embed", "threshold": 0.95}
ADMIN = {"authorization": "Bearer secret"}


@pytest.fixture(scope="module")
def gateway(upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run a gateway that compares questions."""
    with running(Start({**configuration(upstream), "cache": {"enabled": True, "semantic": SEMANTIC}})) as process:
        yield process


def ask(gateway: GatewayProcess, text: str, headers: dict[str, str] | None = None, **fields: object) -> httpx2.Response:
    """Ask a question."""
    body = {"model": "box/wise", "messages": [{"role": "user", "content": text}], **fields}
    url = f"{gateway.url}/v1/chat/completions"
    return httpx2.post(url, json=body, headers=headers, **LOCAL)


def test_a_similar_question_has_the_same_answer(upstream: Upstream, gateway: GatewayProcess) -> None:
    """It says how similar it was; other questions, tools and callers that want more go to the provider."""
    upstream.on("embed", embedded)
    upstream.on("wise", whole())
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]

    answers = [ask(gateway, text) for text in VECTORS]
    strict = ask(gateway, "What is its height?", {"x-wizard-cache-similarity": "0.99"})
    tooled = ask(gateway, "What is its height?", tools=tools)

    assert {answer.content for answer in answers} == {WHOLE}
    assert [answer.headers["x-wizard-cache"] for answer in answers] == ["miss", "hit", "miss"]
    assert answers[1].headers["x-wizard-cache-similarity"] == "0.9684"
    assert [strict.headers["x-wizard-cache"], tooled.headers["x-wizard-cache"]] == ["miss", "bypass"]
    assert len(upstream.received("wise")) == 4
    assert upstream.received("embed")[0].line.startswith("POST /v1/embeddings ")


def test_a_similarity_that_is_none_is_refused(gateway: GatewayProcess) -> None:
    """A header that cannot be understood is named."""
    answer = ask(gateway, "x", {"x-wizard-cache-similarity": "1.5"})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "x-wizard-cache-similarity")


def test_replicas_find_what_others_were_asked(upstream: Upstream) -> None:
    """Where Redis has vector sets; what an operator lets be forgotten takes its questions along."""
    upstream.on("embed", embedded)
    upstream.on("wise", whole())
    with redis_with(vector_sets=True) as redis:
        given = {
            **configuration(upstream),
            "redis": redis.patient,
            "cache": {"enabled": True, "semantic": SEMANTIC},
            "admin": {"token": "secret"},
        }
        with running(Start(given)) as one, running(Start(given)) as two:
            first = ask(one, "How tall is it?")
            eventually(lambda: redis.do("ZCARD", "{wizard:cache:vectors}:kept"), "the question was never known")
            similar = ask(two, "What is its height?")
            known = redis.do("ZCARD", "{wizard:cache:vectors}:kept")
            httpx2.delete(f"{two.url}/admin/cache", headers=ADMIN, **LOCAL).raise_for_status()
            again = ask(two, "What is its height?")

    assert [answer.headers["x-wizard-cache"] for answer in (first, similar, again)] == ["miss", "hit", "miss"]
    assert similar.headers["x-wizard-cache-similarity"] == "0.9684"
    assert known == 1
