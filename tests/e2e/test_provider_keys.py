"""Several keys of one provider in a running gateway: who is asked with which, streamed and not."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from typing import Any

import httpx2
import pytest

from tests.e2e.support.answers import refused, streamed, whole
from tests.e2e.support.upstream import Exchange, Script, Upstream
from tests.support.gateway import LOCAL, GatewayProcess, Start, running

KEYS = ("sk-canary-one", "sk-canary-two", "sk-canary-three")
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def configuration(upstream: Upstream, keys: Sequence[str] = KEYS) -> dict[str, Any]:
    """Return a gateway whose provider `acme` has several keys."""
    return {
        "providers": {"acme": {"kind": "openai", "base_url": upstream.url, "api_keys": list(keys)}},
        "retry": {"max_attempts": 1},
    }


@pytest.fixture
def gateway(upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run a gateway of which no key has been used yet."""
    with running(Start(configuration(upstream))) as process:
        yield process


def by_key(*, stream: bool, **scripts: Script) -> Script:
    """Answer well, but follow a script for the keys `one`, `two` and `three` that have one."""

    def play(exchange: Exchange) -> None:
        name = exchange.request.headers["authorization"].removeprefix("Bearer sk-canary-")
        scripts.get(name, streamed() if stream else whole())(exchange)

    return play


def used(upstream: Upstream, model: str) -> list[str]:
    """Return the keys of the requests so far."""
    return [request.headers["authorization"].rpartition("-")[2] for request in upstream.received(model)]


def ask(gateway: GatewayProcess, model: str = "acme/keyed", *, stream: bool = False) -> httpx2.Response:
    """Send a chat request and read its answer."""
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": stream}
    return httpx2.post(f"{gateway.url}/v1/chat/completions", json=body, **LOCAL)


@both_ways
def test_a_limited_key_rests_and_the_others_go_on(upstream: Upstream, gateway: GatewayProcess, stream: bool) -> None:
    """The caller notices nothing; each request to the provider is counted, none of them is a retry."""
    upstream.on("keyed", by_key(stream=stream, two=refused(429, headers=("retry-after: 300",))))

    answers = [ask(gateway, stream=stream) for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200] * 5
    assert used(upstream, "keyed") == ["one", "two", "three", "one", "three", "one"]
    assert [answer.headers["x-wizard-attempts"] for answer in answers] == ["1", "2", "1", "1", "1"]
    assert gateway.metric("wizard_retry_attempts_total") == 0
    assert gateway.metric("wizard_provider_keys", provider="acme", state="cooling") == 1
    assert gateway.metric("wizard_provider_keys", provider="acme", state="usable") == 2
    told = gateway.wait_for_log("provider_key_set_aside", provider="acme", key=2, reason="rate_limited")
    assert (told["level"], told["pause_ms"]) == ("warning", 300_000)


@both_ways
@pytest.mark.parametrize(("status", "reason"), [(401, "refused"), (403, "refused"), (402, "quota_spent")])
def test_a_refused_key_is_disabled(
    upstream: Upstream, gateway: GatewayProcess, stream: bool, status: int, reason: str
) -> None:
    """A revoked key or an empty account costs one request, and is told without any part of the key."""
    upstream.on("keyed", by_key(stream=stream, one=refused(status)))

    answers = [ask(gateway, stream=stream) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200] * 3
    assert used(upstream, "keyed") == ["one", "two", "three", "two"]
    assert gateway.metric("wizard_provider_keys", provider="acme", state="disabled") == 1
    gateway.wait_for_log("provider_key_set_aside", key=1, reason=reason)
    assert "canary" not in gateway.stdout.text + gateway.stderr.text + gateway.get("/metrics").text


@both_ways
def test_when_all_keys_rest_the_caller_learns_how_long(
    upstream: Upstream, gateway: GatewayProcess, stream: bool
) -> None:
    """The earliest return is told, and the provider is left alone until then."""
    waits = {name: refused(429, headers=(f"retry-after: {wait}",)) for name, wait in (("one", 90), ("two", 40))}
    upstream.on("keyed", by_key(stream=stream, three=refused(429, headers=("retry-after: 60",)), **waits))

    first, second = ask(gateway, stream=stream), ask(gateway, stream=stream)

    assert [answer.status_code for answer in (first, second)] == [429, 429]
    assert {answer.json()["error"]["code"] for answer in (first, second)} == {"target_rate_limited"}
    assert 30 < int(second.headers["retry-after"]) <= 40
    assert first.headers["x-wizard-attempts"] == "3"
    assert used(upstream, "keyed") == ["one", "two", "three"]


def test_one_callers_request_cannot_use_up_the_keys(upstream: Upstream, gateway: GatewayProcess) -> None:
    """A content that every key is forbidden to send leaves the keys to everybody else."""
    upstream.on("flagged", refused(403))
    upstream.on("keyed", whole())

    flagged, plain = ask(gateway, "acme/flagged"), ask(gateway)

    assert (flagged.status_code, plain.status_code) == (502, 200)
    assert len(upstream.received("flagged")) == len(KEYS)
    assert gateway.metric("wizard_provider_keys", provider="acme", state="usable") == len(KEYS)


def test_a_reload_remembers_the_keys(upstream: Upstream, gateway: GatewayProcess) -> None:
    """A key that stays in the configuration stays set aside; one that is new begins at once."""
    upstream.on("keyed", by_key(stream=False, one=refused(401)))
    ask(gateway)

    gateway.write_config(configuration(upstream, (KEYS[0], KEYS[2], "sk-canary-four")))
    gateway.send_signal(signal.SIGHUP)
    gateway.wait_for_log("config_reloaded")
    for _ in range(3):
        ask(gateway)

    assert used(upstream, "keyed") == ["one", "two", "three", "four", "three"]


def test_keys_from_a_file_are_used_in_turn(upstream: Upstream) -> None:
    """A file with a key on each line works like the list."""
    config = configuration(upstream)
    acme = config["providers"]["acme"]
    upstream.on("keyed", whole())
    with running(Start({**config, "providers": {"acme": {**acme, "api_keys": ["sk-canary-one"]}}})) as gateway:
        ask(gateway)
        (gateway.folder / "keys").write_text("\n".join(KEYS), encoding="utf-8")
        del acme["api_keys"]
        gateway.write_config({**config, "providers": {"acme": {**acme, "api_keys_file": "keys"}}})
        gateway.send_signal(signal.SIGHUP)
        gateway.wait_for_log("config_reloaded")

        for _ in KEYS:
            ask(gateway)

    assert used(upstream, "keyed") == ["one", "one", "two", "three"]
