"""Calls that belong together go to the same target of a running gateway, streamed and not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from tests.e2e.support.answers import WHOLE, refused, streamed, whole
from tests.e2e.support.upstream import LIMIT_S, Exchange, Script, Upstream
from tests.support.gateway import LOCAL, GatewayProcess, Start, running

MODELS = ("one", "two", "three")
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def configuration(upstream: Upstream) -> dict[str, Any]:
    """Return a route for each affinity over the same three targets."""
    targets = [{"provider": "box", "model": model} for model in MODELS]
    return {
        "providers": {"box": {"kind": "openai", "base_url": upstream.url}},
        "models": {
            name: {"affinity": name, "strategy": "round_robin", "targets": targets}
            for name in ("session", "user", "prefix")
        },
        "retry": {"max_attempts": 1},
    }


@pytest.fixture(autouse=True)
def all_well(upstream: Upstream) -> None:
    """Let every target answer."""
    for model in MODELS:
        upstream.on(model, good())


@pytest.fixture(scope="module")
def near(upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run a gateway whose targets stay well and idle."""
    with running(Start(configuration(upstream))) as process:
        yield process


@pytest.fixture
def fresh(upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run a gateway that has no experience with its targets yet."""
    with running(Start(configuration(upstream))) as process:
        yield process


def good() -> Script:
    """Answer as the request wants it."""

    def play(exchange: Exchange) -> None:
        (streamed() if b'"stream":true' in exchange.request.body.replace(b" ", b"") else whole())(exchange)

    return play


def ask(gateway: GatewayProcess, model: str, text: str = "hi", session: str = "", **fields: object) -> httpx2.Response:
    """Send a chat request and read its answer."""
    body = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
    headers = {"x-wizard-session": session} if session else {}
    url = f"{gateway.url}/v1/chat/completions"
    return httpx2.post(url, json=body, headers=headers, **LOCAL)


def target(answer: httpx2.Response) -> str:
    """Return who answered."""
    assert answer.status_code == 200, answer.text
    return answer.headers["x-wizard-model"]


@both_ways
def test_a_session_stays_where_it_is(upstream: Upstream, near: GatewayProcess, stream: bool) -> None:
    """Each session has one target, many sessions have all of them, and the name is not told to the provider."""
    sessions = [f"s-{number}" for number in range(12)]

    rounds = [[target(ask(near, "session", session=name, stream=stream)) for name in sessions] for _ in range(3)]

    assert rounds[0] == rounds[1] == rounds[2]
    assert set(rounds[0]) == set(MODELS)
    assert all("x-wizard-session" not in request.headers for model in MODELS for request in upstream.received(model))


@both_ways
@pytest.mark.parametrize(("route", "field"), [("session", "prompt_cache_key"), ("session", "user"), ("user", "user")])
def test_the_body_can_name_what_belongs_together(near: GatewayProcess, route: str, field: str, stream: bool) -> None:
    """Clients that set no header of ours are served as well; the field reaches the provider as it came."""
    found = [{target(ask(near, route, stream=stream, **{field: name})) for _ in range(3)} for name in "abcdef"]

    assert all(len(targets) == 1 for targets in found)
    assert len(set.union(*found)) > 1


def test_a_conversation_stays_by_its_beginning(near: GatewayProcess) -> None:
    """Without any name, the turns of a conversation meet the same target."""
    found = []
    for question in ("why?", "how?", "who?", "where?", "when?", "what?"):
        turns = [{"role": "system", "content": "be brief"}, {"role": "user", "content": question}]
        later = [*turns, {"role": "assistant", "content": "so"}, {"role": "user", "content": "and?"}]
        found.append({target(ask(near, "prefix", messages=messages)) for messages in (turns, later)})

    assert all(len(targets) == 1 for targets in found)
    assert len(set.union(*found)) > 1


def test_calls_without_a_name_follow_the_strategy(fresh: GatewayProcess) -> None:
    """Round robin goes on for everybody else."""
    found = [target(ask(fresh, "session")) for _ in MODELS]

    assert found == list(MODELS)


@both_ways
def test_a_session_leaves_a_target_that_fails(upstream: Upstream, fresh: GatewayProcess, stream: bool) -> None:
    """It always goes on to the same second target; once the first is known to be ill, it is mostly not even asked."""
    home = target(ask(fresh, "session", session="s"))
    upstream.on(home, refused(500))

    answers = [ask(fresh, "session", session="s", stream=stream) for _ in range(24)]

    seconds = {target(answer) for answer in answers}
    assert len(seconds) == 1
    assert home not in seconds
    positions = Counter(answer.headers["x-wizard-fallback"] for answer in answers[8:])
    assert positions["0"] > positions["1"]


def test_a_crowded_target_is_passed_by(upstream: Upstream, fresh: GatewayProcess) -> None:
    """Calls of one session beyond a target's share go elsewhere, and come back when there is room again."""
    home = target(ask(fresh, "session", session="s"))
    upstream.hold(home)
    with ThreadPoolExecutor(4) as crowd:
        asked = [crowd.submit(ask, fresh, "session", session="s") for _ in range(4)]
        held = [upstream.take(home) for _ in asked]

        meanwhile = target(ask(fresh, "session", session="s"))

        for exchange in held:
            exchange.answer(WHOLE)
        side_by_side = [target(answer.result(LIMIT_S)) for answer in asked]
    upstream.on(home, good())
    fresh.wait_for_metric("wizard_active_requests", 0)

    assert side_by_side == [home] * 4
    assert meanwhile != home
    assert target(ask(fresh, "session", session="s")) == home


def test_a_bad_session_is_refused(near: GatewayProcess) -> None:
    """A name that cannot be one is told, with the header that holds it."""
    answer = ask(near, "session", session="two words")

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "x-wizard-session")
