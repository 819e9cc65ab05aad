"""`provider:model` means `provider/model` wherever the configuration speaks of models, not only in requests."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import httpx2
import pytest

from tests.support.gateway import LOCAL, Start, running

CARD = "4111 1111 1111 1111"
CONFIGURATION = {
    "providers": {
        "sim": {"kind": "sim", "models": ["echo"]},
        "box": {"kind": "openai", "base_url": "http://127.0.0.1:1/v1"},
    },
    "keys": [{"name": "team", "hash": f"sha256:{sha256(b'key').hexdigest()}", "models": ["sim:echo*", "box:*"]}],
    "auth": {"required": True},
    "limits": [{"name": "few", "requests": 1, "window_s": 60, "models": ["sim:echo?id=few*"]}],
    "prices": {"sim:echo?id=priced": {"input": 1, "output": 1}},
    "redaction": {"enabled": False, "routes": {"sim:echo?id=masked": {"enabled": True, "action": "mask"}}},
    "guards": {"routes": {"sim:echo?id=short": {"length": {"policy": "block", "max_chars": 3}}}},
    "passthrough": {"enabled": True, "providers": ["box"], "unguarded": True},
    "retry": {"max_attempts": 1},
}


@pytest.fixture(scope="module")
def http() -> Iterator[httpx2.Client]:
    """Run a gateway whose configuration has every name with a colon."""
    with (
        running(Start(CONFIGURATION)) as gateway,
        httpx2.Client(base_url=gateway.url, headers={"authorization": "Bearer key"}, **LOCAL) as client,
    ):
        yield client


def ask(http: httpx2.Client, model: str, text: str = "hello") -> httpx2.Response:
    """Ask a model for an answer."""
    return http.post("/v1/chat/completions", json={"model": model, "messages": [{"role": "user", "content": text}]})


@pytest.mark.parametrize("mark", ["/", ":"])
def test_a_limit_of_a_model_with_a_colon_holds_for_both_spellings(http: httpx2.Client, mark: str) -> None:
    """The pattern sim:echo* limits sim/echo and sim:echo."""
    model = f"sim{mark}echo?id=few{ord(mark)}"

    statuses = [ask(http, model).status_code for _ in range(2)]

    assert 429 == statuses[-1]


def test_what_a_single_route_has_otherwise_is_found_by_its_name_with_a_colon(http: httpx2.Client) -> None:
    """Redaction and guards of one model apply to it, and to no other."""
    masked, plain = (ask(http, f"sim/echo?id={name}", CARD).text for name in ("masked", "other"))
    short = ask(http, "sim/echo?id=short")

    assert (False, True) == (CARD in masked, CARD in plain)
    assert (400, "content_blocked") == (short.status_code, short.json()["error"]["code"])


def test_a_price_of_a_model_with_a_colon_counts(http: httpx2.Client) -> None:
    """The answer says what it cost."""
    answer = ask(http, "sim/echo?id=priced")

    assert float(answer.headers["x-wizard-cost-usd"]) > 0


def test_a_key_with_a_colon_in_its_models_may_pass_requests_on(http: httpx2.Client) -> None:
    """The pattern box:* is everything at box: the request goes out, and fails only there."""
    answer = http.post("/pass/box/anything", json={})

    assert 403 != answer.status_code
    assert "network" == answer.json()["error"]["kind"]
