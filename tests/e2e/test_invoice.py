"""
The ledger against the provider's invoice, over many calls that end in every way there is.

The provider writes down what it charges for each request, and says so in its usage, with every event of a stream. What
the gateway reports afterwards has to be the same, to the nano-dollar.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from tests.e2e.support.answers import DONE
from tests.e2e.support.upstream import LIMIT_S, Exchange, Upstream
from tests.support.gateway import LOCAL, GatewayProcess, Start, running
from tests.support.redis_server import redis_server

CALLS = 10_000
AT_ONCE = 16
ADMIN = {"authorization": "Bearer canary-token"}
PRICE = {"input": 2.5, "cached": 1.25, "output": 10}
INPUT_NUSD, CACHED_NUSD, OUTPUT_NUSD = 2_500, 1_250, 10_000  # the same, a token
SHARES = {
    "whole": 30, "streamed": 25, "kept": 15, "retried": 8, "restarted": 6, "hedged": 5, "left": 5, "broken": 4,
    "refused": 2,
}  # fmt: skip
STREAMED = {"streamed", "restarted", "hedged", "left", "broken"}


class Biller:
    """A provider that keeps its books."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(7)  # noqa: S311 - no secret is drawn
        self._seen: set[str] = set()
        self._asleep: dict[str, threading.Event] = {}
        self.invoice: Counter[str] = Counter()  # nano-dollars by model
        self.requests: Counter[str] = Counter()

    def script(self, way: Callable[[Biller, Exchange], None]) -> Callable[[Exchange], None]:
        """Return what the scripted provider does."""
        return lambda exchange: way(self, exchange)

    def whole(self, exchange: Exchange) -> None:
        """Answer, with part of the prompt from the provider's own cache."""
        usage = self._drawn()
        body = {
            "id": "c1", "object": "chat.completion", "created": 1, "model": "m", "usage": usage,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}],
        }  # fmt: skip
        self._charge(exchange, usage)
        exchange.answer(msgspec.json.encode(body))

    def kept(self, exchange: Exchange) -> None:
        """Answer as asked, once for each question: the gateway keeps what it hears."""
        if b'"stream":true' in exchange.request.body.replace(b" ", b""):
            self.streamed(exchange)
        else:
            self.whole(exchange)

    def streamed(self, exchange: Exchange) -> None:
        """Say a few words, and the usage with every one of them."""
        usage = self._begin(exchange)
        for _ in range(4):
            usage = self._word(exchange, usage)
        exchange.part(event(usage, {}, "stop"))
        exchange.part(DONE)
        exchange.end()

    def retried(self, exchange: Exchange) -> None:
        """Be busy the first time, for nothing."""
        if self._first(exchange):
            exchange.answer(b'{"error":{"message":"busy"}}', 503)
        else:
            self.whole(exchange)

    def restarted(self, exchange: Exchange) -> None:
        """Read the prompt, which costs, and die before the first word; the next time it goes well."""
        if self._first(exchange):
            self._begin(exchange)
            exchange.break_off()
        else:
            self.streamed(exchange)

    def asleep(self, exchange: Exchange) -> None:
        """Read the prompt, which costs, and say nothing until somebody else has."""
        self._begin(exchange)
        self._is_asleep(exchange).set()
        exchange.peer_left()

    def awake(self, exchange: Exchange) -> None:
        """Answer in another's place, but not before that one has said what it charges: nobody could know it then."""
        self._is_asleep(exchange).wait(LIMIT_S)
        self.streamed(exchange)

    def left(self, exchange: Exchange) -> None:
        """Say three words, and go on only for as long as somebody listens."""
        usage = self._begin(exchange)
        for _ in range(3):
            usage = self._word(exchange, usage)
        exchange.peer_left()

    def broken(self, exchange: Exchange) -> None:
        """Say two words, and die."""
        usage = self._begin(exchange)
        for _ in range(2):
            usage = self._word(exchange, usage)
        exchange.break_off()

    def refused(self, exchange: Exchange) -> None:
        """Refuse, for nothing."""
        exchange.answer(b'{"error":{"message":"no","type":"invalid_request_error"}}', 400)

    def _begin(self, exchange: Exchange) -> dict[str, Any]:
        usage = self._drawn(answer=0)
        self._charge(exchange, usage)
        exchange.begin()
        exchange.part(event(usage, {"role": "assistant", "content": ""}))
        return usage

    def _word(self, exchange: Exchange, usage: dict[str, Any]) -> dict[str, Any]:
        self._add(exchange, OUTPUT_NUSD)
        more = {**usage, "completion_tokens": usage["completion_tokens"] + 1, "total_tokens": usage["total_tokens"] + 1}
        exchange.part(event(more, {"content": "word "}))
        return more

    def _drawn(self, answer: int | None = None) -> dict[str, Any]:
        with self._lock:
            prompt, spoken = self._random.randint(10, 3_000), self._random.randint(1, 900)
            cached = self._random.randint(0, prompt)
        spoken = spoken if answer is None else answer
        details = {"cached_tokens": cached}
        return {
            "prompt_tokens": prompt, "completion_tokens": spoken, "total_tokens": prompt + spoken,
            "prompt_tokens_details": details,
        }  # fmt: skip

    def _charge(self, exchange: Exchange, usage: dict[str, Any]) -> None:
        cached = usage["prompt_tokens_details"]["cached_tokens"]
        fresh = usage["prompt_tokens"] - cached
        self._add(exchange, fresh * INPUT_NUSD + cached * CACHED_NUSD + usage["completion_tokens"] * OUTPUT_NUSD)
        with self._lock:
            self.requests[exchange.request.model] += 1

    def _add(self, exchange: Exchange, amount_nusd: int) -> None:
        with self._lock:
            self.invoice[exchange.request.model] += amount_nusd

    def _is_asleep(self, exchange: Exchange) -> threading.Event:
        question = exchange.request.body[exchange.request.body.index(b'"messages"') :].decode()
        with self._lock:
            return self._asleep.setdefault(question, threading.Event())

    def _first(self, exchange: Exchange) -> bool:
        with self._lock:
            name = exchange.request.body.decode()
            first = name not in self._seen
            self._seen.add(name)
        return first


def event(usage: dict[str, Any], delta: dict[str, Any], finish: str | None = None) -> bytes:
    """Return a frame of a stream that carries what was used so far."""
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + msgspec.json.encode({**chunk, "usage": usage}) + b"\n\n"


@pytest.fixture(params=["memory", "sqlite", "redis"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Return the settings of every store of usage."""
    if request.param != "redis":
        yield {"usage": {"store": request.param, "path": str(tmp_path / "usage.db")}}
        return
    with redis_server() as server:
        yield {"usage": {"store": "redis"}, "redis": server.patient, "budgets": [{"name": "all", "usd": 1e6}]}


def settings(upstream: Upstream, stores: dict[str, Any]) -> dict[str, Any]:
    """Return a gateway whose calls can end in all of these ways, as often as the test likes."""
    hedge = {"enabled": True, "min_s": 0.02, "max_s": 0.03, "budget_ratio": 1}
    pair = [{"provider": "box", "model": "asleep"}, {"provider": "box", "model": "awake"}]
    alone = {
        name: {"targets": [{"provider": "box", "model": name}]} for name in SHARES if name not in ("kept", "hedged")
    }
    kept = {"targets": [{"provider": "box", "model": "kept"}], "cache": True}
    return {
        "admin": {"token": "canary-token"},
        "providers": {"box": {"kind": "openai", "base_url": upstream.url}},
        "models": {**alone, "kept": kept, "hedged": {"targets": pair, "hedge": hedge}},
        "prices": {f"box/{name}": PRICE for name in (*SHARES, "asleep", "awake")},
        "cache": {"enabled": True},
        "retry": {"base_s": 0.001, "max_s": 0.001, "budget_ratio": 1, "budget_floor_per_s": 1000},
        "circuit_breaker": {"enabled": False},
        "logging": {"level": "error"},
        **stores,
    }


def call(http: httpx2.Client, number: int, kind: str) -> None:
    """Send one call of a kind; who leaves does so behind the third word."""
    told = f"call {number % 50}" if kind == "kept" else f"call {number}"
    stream = kind in STREAMED or (kind == "kept" and number % 2 == 0)
    body = {"model": kind, "messages": [{"role": "user", "content": told}], "stream": stream}
    headers = {} if kind == "kept" else {"x-wizard-cache": "bypass"}
    with http.stream("POST", "/v1/chat/completions", json=body, headers=headers) as answer:
        try:
            words = 0
            for line in answer.iter_lines():
                words += "word" in line
                if kind == "left" and words == 3:
                    return
        except httpx2.RemoteProtocolError:
            assert kind == "broken"


def reported(gateway: GatewayProcess) -> tuple[dict[str, int], dict[str, int], int]:
    """Return nano-dollars and attempts by model, and how many attempts had to be estimated or had no price."""
    answer = httpx2.get(f"{gateway.url}/admin/usage?by=model", headers=ADMIN, **LOCAL)
    rows = answer.json()["rows"]
    spent = {row["model"]: round(row["cost_usd"] * 1e9) for row in rows}
    attempts = {row["model"]: row["attempts"] for row in rows}
    return spent, attempts, sum(row["estimated"] + row["unpriced"] for row in rows)


def test_the_ledger_is_the_invoice(upstream: Upstream, stores: dict[str, Any]) -> None:
    """Whole, streamed, cached, retried, hedged, left, broken and refused calls: every token that was charged, once."""
    biller = Biller()
    for name, way in {
        **{kind: getattr(Biller, kind, Biller.whole) for kind in SHARES},
        "asleep": Biller.asleep,
        "awake": Biller.awake,
    }.items():
        upstream.on(name, biller.script(way))
    kinds = random.Random(11).choices(list(SHARES), list(SHARES.values()), k=CALLS)  # noqa: S311 - no secret is drawn

    with (
        running(Start(settings(upstream, stores))) as gateway,
        httpx2.Client(base_url=gateway.url, **LOCAL) as http,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        for done in [pool.submit(call, http, number, kind) for number, kind in enumerate(kinds)]:
            done.result()
        gateway.wait_for_metric("wizard_active_requests", 0)
        spent, attempts, guessed = reported(gateway)

    assert spent == dict(biller.invoice)
    assert attempts == dict(biller.requests)
    assert guessed == 0
    assert biller.requests["kept"] <= 100 < kinds.count("kept")
