"""What the scripted provider makes of requests that it cannot play, and what it says about itself."""

from __future__ import annotations

import pytest

from app.core.ports import HttpRequest
from app.providers.sim import SIM_MODELS, SimUpstream
from tests.providers.sim.asking import answer, asking, refusal, replying


async def test_unknown_script_names_those_there_are(sim: SimUpstream) -> None:
    """A model that is no script is 404, and the message lists the scripts."""
    status, error = await refusal(sim, asking("gpt-4o"))

    assert (404, "model_not_found", "model") == (status, error["code"], error["param"])
    assert "echo, words, fail" in error["message"]


@pytest.mark.parametrize(
    "query",
    [
        "wrods=3", "words=many", "words=-1", "words=10001", "rate=1.5", "rate=nan", "status=200", "status=600",
        "tokens_per_s=0", "first_token_s=inf", "hang=perhaps", "words", "a=1&&", "times=0.5",
    ],
)  # fmt: skip
async def test_wrong_option_names_those_there_are(sim: SimUpstream, query: str) -> None:
    """An unknown option or a value out of range is 400, and the message lists the options."""
    status, error = await refusal(sim, asking(f"echo?{query}"))

    assert (400, "invalid_value", "model") == (status, error["code"], error["param"])
    assert "tokens_per_s" in error["message"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"model":"echo"}',
        b'{"model":1,"messages":[]}',
        b'{"model":"\xff","messages":[]}',
        b"[" * 10_000,
    ],
)
async def test_body_that_is_no_chat_request_is_refused(sim: SimUpstream, body: bytes) -> None:
    """Whatever cannot be read is 400 with an OpenAI error, as real servers answer."""
    status, error = await refusal(sim, HttpRequest("POST", "http://sim/v1/chat/completions", (), body, 5.0))

    assert (400, "invalid_request_error") == (status, error["type"])


@pytest.mark.parametrize("fields", [{"n": 0}, {"n": 17}, {"max_tokens": 0}])
async def test_request_out_of_range_is_refused(sim: SimUpstream, fields: dict[str, int]) -> None:
    """The scripted provider bounds what it is asked for, as real ones do."""
    status, error = await refusal(sim, asking("echo", **fields))

    assert 400 == status
    assert next(iter(fields)) in error["message"]


async def test_answers_are_numbered(sim: SimUpstream) -> None:
    """Identifiers follow the order of calls, so that a test can foretell them."""
    ids = [(await answer(sim, asking("echo")))["id"] for _ in range(2)]

    assert ["chatcmpl-sim1", "chatcmpl-sim2"] == ids


async def test_headers_of_real_providers_are_sent_along(sim: SimUpstream) -> None:
    """A cookie, a request id and rate limits come along, so that tests can see that they go no further."""
    async with replying(sim, asking("echo")) as reply:
        names = set(reply.headers)

    assert {"set-cookie", "x-request-id", "x-ratelimit-remaining-requests"} <= names


def test_listed_models_are_those_to_choose() -> None:
    """`fail` works but is not offered."""
    assert ("echo", "words") == SIM_MODELS
