"""Hedged routes of a running gateway, streamed and not."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx2
import msgspec
import pytest

from tests.e2e.support.answers import whole, word
from tests.e2e.support.upstream import Upstream
from tests.support.gateway import LOCAL, GatewayProcess, Start, running

CHAT = "/v1/chat/completions"
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
QUICK = "echo?id=quick"
LATE = "echo?first_token_s=1.5"  # long after a hedge has begun, on a busy machine, too
SOON = {"enabled": True, "min_s": 0.05, "max_s": 0.1, "budget_ratio": 1}


def route(*targets: tuple[str, str], **more: object) -> dict[str, object]:
    """Return a route that hedges after a tenth of a second."""
    return {"targets": [{"provider": name, "model": model} for name, model in targets], "hedge": SOON, **more}


def configuration(upstream: Upstream) -> dict[str, Any]:
    """Return a route for each way in which a hedge can end."""
    quick, learned = ("sim", QUICK), {**SOON, "max_s": 60}
    return {
        "providers": {"sim": {"kind": "sim"}, "box": {"kind": "openai", "base_url": upstream.url}},
        "models": {
            "won": route(("sim", "echo?hang=1"), quick),
            "lost": route(("sim", LATE), ("sim", "echo?hang=1")),
            "held": route(("box", "held"), quick),
            "alone": route(("sim", f"{LATE}&id=alone"), quick),
            "failing": route(("sim", "fail?first_token_s=1.5"), ("sim", "fail"), fallbacks=["sim/echo?id=spare"]),
            "stalling": route(("sim", "echo?hang=1"), ("sim", "words?words=9&tokens_per_s=50&stall_after=2")),
            "learning": {**route(("box", "learned"), quick), "hedge": learned},
            "rationed": {
                **route(("sim", f"{LATE}&id=rationed"), quick),
                "hedge": {**SOON, "budget_ratio": 0.5},
            },
        },
        "timeouts": {"idle_s": 0.5},
        "retry": {"max_attempts": 1},
    }


@pytest.fixture(scope="module")
def hedging(upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run a gateway with all of these routes."""
    with running(Start(configuration(upstream))) as process:
        yield process


def ask(
    gateway: GatewayProcess, model: str, *, path: str = CHAT, off: bool = False, **fields: object
) -> httpx2.Response:
    """Send a chat request and read its answer."""
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **fields}
    headers = {"x-wizard-fallback": "off"} if off else {}
    return httpx2.post(gateway.url + path, json=body, headers=headers, **LOCAL)


def told(answer: httpx2.Response) -> tuple[str | None, str, str, str]:
    """Return what the headers say: how the hedge ended, who answered, at which position, after how many attempts."""
    found = answer.headers
    return (
        found.get("x-wizard-hedge"),
        found["x-wizard-model"],
        found["x-wizard-fallback"],
        found["x-wizard-attempts"],
    )


@both_ways
def test_the_second_target_answers(hedging: GatewayProcess, *, stream: bool) -> None:
    """The headers name the winner and say that it won; both attempts are counted, log and metrics tell of it."""
    before = hedging.metric("wizard_hedges_total", outcome="won")

    answer = ask(hedging, "won", stream=stream)

    assert (answer.status_code, told(answer)) == (200, ("won", QUICK, "1", "2"))
    assert hedging.metric("wizard_hedges_total", outcome="won") == before + 1
    request_id = answer.headers["x-request-id"]
    pair = {"from": "sim/echo?hang=1", "to": f"sim/{QUICK}"}
    started = hedging.wait_for_log("hedge", request_id=request_id, outcome="started")
    ended = hedging.wait_for_log("hedge", request_id=request_id, outcome="won")
    assert (started["delay_ms"], started["level"]) == (100, "info")
    assert pair.items() <= started.items()
    assert pair.items() <= ended.items()


@both_ways
def test_the_first_target_answers_after_all(hedging: GatewayProcess, *, stream: bool) -> None:
    """The answer is the first target's, and the header says that a hedge was for nothing."""
    answer = ask(hedging, "lost", stream=stream)

    assert (answer.status_code, told(answer)) == (200, ("lost", LATE, "0", "2"))


@pytest.mark.parametrize("begun", [False, True], ids=["before its head", "in its stream"])
def test_the_losers_connection_is_closed(hedging: GatewayProcess, upstream: Upstream, *, begun: bool) -> None:
    """The slow provider sees its client go, also when it has sent a head and a first event that says nothing."""
    upstream.hold("held")
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask, hedging, "held", stream=True)
        slow = upstream.take("held")
        if begun:
            slow.begin()
            slow.part(word(""))
        answer = asked.result()

    assert told(answer) == ("won", QUICK, "1", "2")
    assert slow.peer_left()
    hedging.wait_for_metric("wizard_active_requests", 0)


@both_ways
def test_a_caller_can_do_without(hedging: GatewayProcess, *, stream: bool) -> None:
    """`x-wizard-fallback: off` waits for the first target."""
    answer = ask(hedging, "alone", off=True, stream=stream)

    assert told(answer) == (None, f"{LATE}&id=alone", "0", "1")


@both_ways
def test_when_both_fail_the_fallback_answers(hedging: GatewayProcess, *, stream: bool) -> None:
    """The two are not tried again, and an answer that no hedge brought has no header about it."""
    before = hedging.metric("wizard_hedges_total", outcome="failed")

    answer = ask(hedging, "failing", stream=stream)

    assert (answer.status_code, told(answer)) == (200, (None, "echo?id=spare", "2", "3"))
    assert hedging.metric("wizard_hedges_total", outcome="failed") == before + 1


def test_a_winner_is_watched_like_any_stream(hedging: GatewayProcess) -> None:
    """Silence in the middle of a stream that won ends it by `idle_s`, although another task had begun to read it."""
    read = b""
    body = {"model": "stalling", "stream": True, "messages": [{"role": "user", "content": "hi"}]}

    with (
        httpx2.stream("POST", hedging.url + CHAT, json=body, **LOCAL) as answer,
        suppress(httpx2.RemoteProtocolError),  # it is broken off on purpose
    ):
        for part in answer.iter_raw():
            read += part

    assert answer.headers["x-wizard-hedge"] == "won"
    assert msgspec.json.decode(read.rpartition(b"data: ")[2])["error"]["code"] == "timeout_idle"


@both_ways
def test_metadata_tells_of_the_hedge(hedging: GatewayProcess, *, stream: bool) -> None:
    """`/v1/generate` says in its body what the headers say."""
    answer = ask(hedging, "won", path="/v1/generate", stream=stream)

    frames = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    wizard = (msgspec.json.decode(frames[-2]) if stream else answer.json())["wizard"]
    assert (wizard["hedge"], wizard["model"], wizard["fallback"], wizard["attempts"]) == ("won", QUICK, 1, 2)


def test_metadata_of_a_call_alone_says_nothing_of_it(hedging: GatewayProcess) -> None:
    """Without a hedge there is no such member."""
    assert "hedge" not in ask(hedging, "sim/echo", path="/v1/generate").json()["wizard"]


def test_the_delay_is_learned_from_traffic(hedging: GatewayProcess, upstream: Upstream) -> None:
    """After twenty quick answers a minute's silence is not waited for any more."""
    upstream.on("learned", whole())
    quick = [told(ask(hedging, "learning")) for _ in range(20)]
    upstream.hold("learned")

    answer = ask(hedging, "learning")

    assert set(quick) == {(None, "learned", "0", "1")}
    assert told(answer) == ("won", QUICK, "1", "2")
    assert upstream.take("learned").peer_left()


def test_hedges_are_rationed(hedging: GatewayProcess) -> None:
    """With a share of one half the first slow call waits, the second is hedged, and so on."""
    found = [ask(hedging, "rationed").headers.get("x-wizard-hedge") for _ in range(4)]

    assert found == [None, "won", None, "won"]
