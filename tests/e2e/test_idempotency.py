"""Idempotency keys over HTTP: what is sent again is answered once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import msgspec
import openai
import pytest

from tests.e2e.support.asking import NOBODY, bearer, chat, code, send
from tests.support.gateway import LOCAL, GatewayProcess, Start, running
from tests.support.redis_server import redis_server

CONFIG: dict[str, Any] = {"providers": {"sim": {"kind": "sim"}}}


@pytest.fixture(scope="module", params=["memory", "redis"])
def gateway(request: pytest.FixtureRequest) -> Iterator[GatewayProcess]:
    """Run a gateway without Redis, and one with it and with two workers."""
    if request.param == "memory":
        with running(Start(CONFIG)) as process:
            yield process
        return
    with (
        redis_server() as redis,
        running(Start({**CONFIG, "redis": redis.patient}, ("--workers", "2"))) as process,
    ):
        yield process


def ask(gateway: GatewayProcess, key: str, text: str = "hi", headers: dict[str, str] | None = None, **more: Any) -> Any:  # noqa: ANN401 - JSON
    """Send a call with a key."""
    body = {"model": "sim/echo", "messages": [{"role": "user", "content": text}], **more}
    return send(gateway, "POST", "/v1/chat/completions", {"idempotency-key": key, **(headers or NOBODY)}, body)


def replayed(answer: httpx2.Response) -> bool:
    """Say whether an answer was kept from an earlier call."""
    return answer.headers.get("x-wizard-idempotent-replay") == "true"


def content(stream: str) -> str:
    """Return the text of a stream, which must be complete."""
    lines = [line.removeprefix("data: ") for line in stream.splitlines() if line.startswith("data: ")]
    assert lines.pop() == "[DONE]"
    chunks = [msgspec.json.decode(line) for line in lines]
    return "".join(choice["delta"].get("content") or "" for chunk in chunks for choice in chunk["choices"])


def test_a_repeat_gets_the_same_answer(gateway: GatewayProcess) -> None:
    """Byte for byte, with the names of who answered, and without asking anybody."""
    first, again = ask(gateway, "whole"), ask(gateway, "whole")

    assert (first.status_code, again.status_code) == (200, 200)
    assert first.content == again.content
    assert (replayed(first), replayed(again)) == (False, True)
    assert first.headers["x-wizard-provider"] == again.headers["x-wizard-provider"] == "sim"
    assert "0" == again.headers["x-wizard-attempts"]
    assert first.headers["x-request-id"] != again.headers["x-request-id"]


def test_a_stream_is_repeated_as_one(gateway: GatewayProcess) -> None:
    """With the same text and a proper end."""
    first, again = (ask(gateway, "stream", "some words to stream", stream=True) for _ in range(2))

    assert content(first.text) == content(again.text) == "some words to stream"
    assert (replayed(first), replayed(again)) == (False, True)
    assert again.headers["content-type"].startswith("text/event-stream")


def test_calls_at_once_are_one(gateway: GatewayProcess) -> None:
    """The others wait for the first, whichever worker they came to."""
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: ask(gateway, "at-once", model="sim/echo?first_token_s=0.5"), range(6)))

    assert {200} == {answer.status_code for answer in answers}
    assert 1 == len({answer.content for answer in answers})
    assert [False] + [True] * 5 == sorted(replayed(answer) for answer in answers)


@pytest.mark.parametrize("other", [{"text": "other"}, {"text": "hi", "seed": 1}], ids=["text", "field"])
def test_another_body_is_refused(gateway: GatewayProcess, other: dict[str, Any]) -> None:
    """As the SDK's UnprocessableEntityError; the body of another endpoint is another as well."""
    ask(gateway, "body")
    answer = ask(gateway, "body", **other)
    elsewhere = send(
        gateway, "POST", "/v1/generate", {"idempotency-key": "body"}, {"model": "sim/echo", "prompt": "hi"}
    )
    http = openai.DefaultHttpxClient(**LOCAL)
    with openai.OpenAI(base_url=f"{gateway.url}/v1", api_key="x", http_client=http) as client:

        def say(text: str) -> object:
            return client.chat.completions.create(
                model="sim/echo",
                messages=[{"role": "user", "content": text}],
                extra_headers={"idempotency-key": "sdk"},
            )

        say("one")
        with pytest.raises(openai.UnprocessableEntityError) as caught:
            say("two")

    error = answer.json()["error"]
    assert (422, "idempotency_key_reused", "idempotency-key") == (answer.status_code, error["code"], error["param"])
    assert "false" == answer.headers["x-should-retry"]
    assert "idempotency_key_reused" == code(elsewhere)
    assert caught.value.code == "idempotency_key_reused"


def test_keys_are_their_callers(gateway: GatewayProcess) -> None:
    """The same key of another caller is another call."""
    one, other = (ask(gateway, "mine", key, headers=bearer(key)) for key in ("sk-one", "sk-other"))

    assert (replayed(one), replayed(other)) == (False, False)
    assert (one.status_code, other.status_code) == (200, 200)
    assert replayed(ask(gateway, "mine", "sk-one", headers=bearer("sk-one")))


def test_failures_are_tried_again(gateway: GatewayProcess) -> None:
    """What failed is no answer; the same key may be sent again, and then holds."""
    model = f"sim/echo?times=1&id=idem-{gateway.port}"
    answers = [ask(gateway, "failing", model=model, headers={"x-wizard-retries": "0"}) for _ in range(4)]
    statuses = [answer.status_code for answer in answers]

    assert statuses[-1] == 200
    assert replayed(answers[-1])


def test_refusals_are_not_kept(gateway: GatewayProcess) -> None:
    """A request that is wrong is wrong each time, and says why."""
    answers = [ask(gateway, "wrong", model="nobody/else") for _ in range(2)]

    assert ["unknown_model"] * 2 == [code(answer) for answer in answers]
    assert not any(replayed(answer) for answer in answers)


@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
def test_keys_have_a_form(gateway: GatewayProcess, key: str) -> None:
    """At most 255 visible characters."""
    answer = ask(gateway, key)

    assert (400, "idempotency-key") == (answer.status_code, answer.json()["error"]["param"])


def test_a_session_grows_once() -> None:
    """A repeated turn is no second turn."""
    with running(Start(CONFIG)) as gateway:
        session = send(gateway, "POST", "/v1/sessions").json()["id"]
        headers = {"x-wizard-session": session}
        answers = [ask(gateway, "turn", headers=headers) for _ in range(3)]

        assert [False, True, True] == [replayed(answer) for answer in answers]
        assert 1 == send(gateway, "GET", f"/v1/sessions/{session}").json()["turns"]
        assert 2 == gateway.metric("wizard_idempotent_replays_total")


def test_switched_off() -> None:
    """Each call is its own."""
    with running(Start({**CONFIG, "idempotency": {"enabled": False}})) as gateway:
        answers = [ask(gateway, "k") for _ in range(2)]

        assert [False, False] == [replayed(answer) for answer in answers]


def test_without_redis_keys_go_on() -> None:
    """Each process by what it knows; no call fails for it."""
    with redis_server() as redis, running(Start({**CONFIG, "redis": redis.patient})) as gateway:
        redis.kill()
        gateway.wait_for_log("state_degraded")
        answers = [ask(gateway, "gone") for _ in range(2)]
        plain = chat(gateway)

        assert [(200, False), (200, True)] == [(answer.status_code, replayed(answer)) for answer in answers]
        assert plain.status_code == 200
