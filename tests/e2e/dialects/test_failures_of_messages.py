"""Failures raise, in Anthropic's official client, what its user expects, whatever dialect the provider refuses in."""

from __future__ import annotations

from typing import Any, NamedTuple

import anthropic
import httpx2
import pytest

from tests.e2e.conftest import PROVIDER_KEY
from tests.e2e.dialects.conftest import anthropic_client
from tests.e2e.dialects.refusing import anthropic_refuses, openai_refuses
from tests.e2e.dialects.speaking import script
from tests.e2e.support.answers import in_turn, stays, whole
from tests.e2e.support.upstream import Script, Upstream
from tests.support.gateway import GatewayProcess

USER: Any = [{"role": "user", "content": "Hi"}]
BAD = "invalid_request_error"
SOON = ("retry-after-ms: 1",)


class Told(NamedTuple):
    """What the client raises, and how often the provider was asked."""

    exception: type[anthropic.APIStatusError]
    status: int
    type: str
    code: str
    tries: int = 1


BAD_REQUEST = Told(anthropic.BadRequestError, 400, BAD, "invalid_request")
UNSUPPORTED = Told(anthropic.BadRequestError, 400, BAD, "unsupported_feature")
UNPROCESSABLE = Told(anthropic.UnprocessableEntityError, 422, BAD, "unprocessable")
TOO_LONG = Told(anthropic.BadRequestError, 400, BAD, "context_too_long")
BLOCKED = Told(anthropic.BadRequestError, 400, BAD, "content_blocked")
NO_MODEL = Told(anthropic.NotFoundError, 404, "not_found_error", "target_model_missing")
TOO_LARGE = Told(anthropic.RequestTooLargeError, 413, "request_too_large", "body_too_large")
LIMITED = Told(anthropic.RateLimitError, 429, "rate_limit_error", "target_rate_limited", 3)
NO_CREDIT = Told(anthropic.RateLimitError, 429, "rate_limit_error", "target_quota_spent")
LOCKED_OUT = Told(anthropic.InternalServerError, 502, "api_error", "target_misconfigured")
FAILED = Told(anthropic.InternalServerError, 502, "api_error", "target_failed", 3)
BUSY = Told(anthropic.OverloadedError, 529, "overloaded_error", "target_busy", 3)
BUSY_503 = Told(anthropic.ServiceUnavailableError, 503, "overloaded_error", "target_busy", 3)
LATE = Told(anthropic.GatewayTimeoutError, 504, "timeout_error", "target_timeout", 3)
NONSENSE = Told(anthropic.InternalServerError, 502, "api_error", "bad_upstream_reply", 3)

CREDIT = "Your credit balance is too low to access the Anthropic API."
REFUSALS: dict[str, tuple[str, Script, Told]] = {
    "anthropic bad request": ("anthropic", anthropic_refuses(400, BAD), BAD_REQUEST),
    "anthropic context": (
        "anthropic",
        anthropic_refuses(400, BAD, "prompt is too long: 9 tokens > 8 maximum"),
        TOO_LONG,
    ),
    "anthropic filter": (
        "anthropic",
        anthropic_refuses(400, BAD, "Output blocked by content filtering policy"),
        BLOCKED,
    ),
    "anthropic no credit": ("anthropic", anthropic_refuses(400, BAD, CREDIT), NO_CREDIT),
    "anthropic billing": ("anthropic", anthropic_refuses(402, "billing_error"), NO_CREDIT),
    "anthropic key": ("anthropic", anthropic_refuses(401, "authentication_error"), LOCKED_OUT),
    "anthropic rights": ("anthropic", anthropic_refuses(403, "permission_error"), LOCKED_OUT),
    "anthropic model": ("anthropic", anthropic_refuses(404, "not_found_error"), NO_MODEL),
    "anthropic too large": ("anthropic", anthropic_refuses(413, "request_too_large"), TOO_LARGE),
    "anthropic rate limit": ("anthropic", anthropic_refuses(429, "rate_limit_error", headers=SOON), LIMITED),
    "anthropic spend limit": (
        "anthropic",
        anthropic_refuses(429, "rate_limit_error", code="enforced_spend_limit_reached"),
        NO_CREDIT,
    ),
    "anthropic failure": ("anthropic", anthropic_refuses(500, "api_error"), FAILED),
    "anthropic timeout": ("anthropic", anthropic_refuses(504, "timeout_error"), LATE),
    "anthropic overloaded": ("anthropic", anthropic_refuses(529, "overloaded_error", headers=SOON), BUSY),
    "anthropic error with status 200": ("anthropic", anthropic_refuses(200, "overloaded_error"), BUSY),
    "anthropic page of a proxy": ("anthropic", whole(b"<html>Bad gateway</html>", 502), FAILED),
    "anthropic nonsense": ("anthropic", whole(b"<html>Welcome</html>"), NONSENSE),
    "anthropic no message": ("anthropic", whole(b'{"type":"model","id":"m"}'), NONSENSE),
    "openai bad request": ("chat", openai_refuses(400), BAD_REQUEST),
    "openai unprocessable": ("chat", openai_refuses(422), UNPROCESSABLE),
    "openai context": ("chat", openai_refuses(400, "context_length_exceeded", "At most 8 tokens."), TOO_LONG),
    "openai filter": ("chat", openai_refuses(400, "content_filter"), BLOCKED),
    "openai key": ("chat", openai_refuses(401, "invalid_api_key"), LOCKED_OUT),
    "openai model": ("chat", openai_refuses(404, "model_not_found"), NO_MODEL),
    "openai rate limit": ("chat", openai_refuses(429, "rate_limit_exceeded", headers=SOON), LIMITED),
    "openai no credit": ("chat", openai_refuses(429, "insufficient_quota", kind="insufficient_quota"), NO_CREDIT),
    "openai failure": ("chat", openai_refuses(500), FAILED),
    "openai overloaded": ("chat", openai_refuses(503, headers=SOON), BUSY_503),
    "openai timeout": ("chat", openai_refuses(504), LATE),
    "openai no answer": ("chat", whole(b"{}"), NONSENSE),
    "responses bad request": ("responses", openai_refuses(400), BAD_REQUEST),
    "responses context": ("responses", openai_refuses(400, "context_length_exceeded", "At most 8."), TOO_LONG),
    "responses overloaded": ("responses", openai_refuses(503, headers=SOON), BUSY_503),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("case", REFUSALS)
def test_refusal_of_a_provider(claude: anthropic.Anthropic, upstream: Upstream, case: str, stream: bool) -> None:
    """Each refusal is one exception, before a stream as before a whole answer, and only what can pass is retried."""
    provider, refusal, told = REFUSALS[case]
    upstream.on("refuser", refusal)

    with pytest.raises(told.exception) as raised:
        claude.messages.create(model=f"{provider}/refuser", max_tokens=9, messages=USER, stream=stream)

    error = raised.value
    tries = len(upstream.received("refuser"))
    assert Told(type(error), error.status_code, str(error.type), str(error.error_code), tries) == told
    assert error.request_id == error.response.headers["x-request-id"]
    assert error.response.headers["x-should-retry"] == "false"
    assert PROVIDER_KEY not in str(error)


def test_refusals_of_the_caller_are_in_the_providers_words(claude: anthropic.Anthropic, upstream: Upstream) -> None:
    """What the provider says of the request is told; what it says of the gateway is not."""
    upstream.on("picky", anthropic_refuses(400, BAD, "messages.0: no such role"))
    upstream.on("locked", anthropic_refuses(401, "authentication_error", "invalid x-api-key of the house"))

    with pytest.raises(anthropic.BadRequestError, match=r"messages\.0: no such role") as picky:
        claude.messages.create(model="anthropic/picky", max_tokens=9, messages=USER)
    with pytest.raises(anthropic.InternalServerError) as locked:
        claude.messages.create(model="anthropic/locked", max_tokens=9, messages=USER)

    assert "of the house" not in str(locked.value)
    assert isinstance(picky.value.body, dict)
    assert {"provider": "anthropic", "source": "upstream"}.items() <= picky.value.body["error"].items()


def test_full_context_is_said_as_claude_code_reads_it(claude: anthropic.Anthropic, upstream: Upstream) -> None:
    """Claude Code compacts its conversation when it reads these words, whoever stands behind."""
    upstream.on("short", openai_refuses(400, "context_length_exceeded", "This model's maximum is 8 tokens."))

    with pytest.raises(anthropic.BadRequestError, match="prompt is too long"):
        claude.messages.create(model="chat/short", max_tokens=9, messages=USER)


WRONG: dict[str, tuple[dict[str, Any], Told]] = {
    "no such model": ({"model": "ekho"}, Told(anthropic.NotFoundError, 404, "not_found_error", "unknown_model")),
    "no messages": ({"messages": []}, BAD_REQUEST),
    "wrong type": ({"extra_body": {"temperature": "hot"}}, BAD_REQUEST),
    "no bound": ({"max_tokens": 0}, BAD_REQUEST),
    "no such role": ({"messages": [{"role": "god", "content": "Hi"}]}, BAD_REQUEST),
    "picture of no kind": (
        {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "film"}}]}]},
        UNSUPPORTED,
    ),
    "tool of the provider": (
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        UNSUPPORTED,
    ),
    "too large": (
        {"messages": [{"role": "user", "content": "a" * 300_000}]},
        Told(anthropic.RequestTooLargeError, 413, "request_too_large", "body_too_large"),
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_refusal_of_the_gateway(claude: anthropic.Anthropic, upstream: Upstream, case: str) -> None:
    """What is wrong is refused before any provider is asked."""
    wrong, told = WRONG[case]
    upstream.on("unasked", whole())

    with pytest.raises(told.exception) as raised:
        claude.messages.create(**{"model": "chat/unasked", "max_tokens": 9, "messages": USER, **wrong})

    error = raised.value
    assert Told(type(error), error.status_code, str(error.type), str(error.error_code)) == told
    assert upstream.received("unasked") == []


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("messages", b"{", "invalid_json"),
        ("messages", b"[]", "invalid_request"),
        ("messages", b"\xff", "invalid_json"),
        ("messages/count_tokens", b"{", "invalid_json"),
    ],
)
def test_refusal_of_other_bodies(plain: httpx2.Client, path: str, body: bytes, code: str) -> None:
    """Whatever comes to these addresses is answered in Anthropic's form."""
    answer = plain.post(f"/v1/{path}", content=body, headers={"content-type": "application/json"})

    told = answer.json()
    assert (answer.status_code, told["type"], told["error"]["type"]) == (400, "error", BAD)
    assert told["error"]["details"] == {"error_code": code}
    assert told["request_id"] == answer.headers["request-id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    ("method", "path", "status", "kind"),
    [
        ("GET", "messages", 405, BAD),
        ("PUT", "messages/count_tokens", 405, BAD),
        ("POST", "messages/batches", 404, "not_found_error"),
        ("GET", "models/nothing-like-this", 404, "not_found_error"),
    ],
)
def test_refusal_beside_the_calls(plain: httpx2.Client, method: str, path: str, status: int, kind: str) -> None:
    """Wrong methods and addresses that are not there are refused in Anthropic's form, too."""
    answer = plain.request(method, f"/v1/{path}", headers={"anthropic-version": "2023-06-01"})

    told = answer.json()
    assert (answer.status_code, told["type"], told["error"]["type"]) == (status, "error", kind)
    assert told["request_id"] == answer.headers["request-id"] == answer.headers["x-request-id"]


def test_unreachable_provider(claude: anthropic.Anthropic) -> None:
    """A provider that nobody can reach is a failed one."""
    with pytest.raises(anthropic.InternalServerError) as raised:
        claude.messages.create(model="closed/any", max_tokens=9, messages=USER)

    assert (raised.value.status_code, raised.value.error_code) == (502, "target_unavailable")


def test_silent_provider(claude: anthropic.Anthropic, upstream: Upstream) -> None:
    """A call whose time is over is a GatewayTimeoutError."""
    upstream.on("mute", stays())

    with pytest.raises(anthropic.GatewayTimeoutError) as raised:
        claude.messages.create(
            model="anthropic/mute", max_tokens=9, messages=USER, extra_headers={"x-wizard-timeout-ms": "200"}
        )

    assert (raised.value.type, raised.value.error_code) == ("timeout_error", "timeout_total")


def test_tells_how_long_to_wait(claude: anthropic.Anthropic, upstream: Upstream) -> None:
    """How long the provider wants its callers to wait is passed on."""
    claude = claude.with_options(max_retries=0)
    upstream.on("limited", anthropic_refuses(429, "rate_limit_error", headers=("retry-after: 7",)))

    with pytest.raises(anthropic.RateLimitError) as raised:
        claude.messages.create(
            model="anthropic/limited", max_tokens=9, messages=USER, extra_headers={"x-wizard-retries": "0"}
        )

    assert raised.value.response.headers["retry-after"] == "7"


def test_failures_that_pass_are_hidden(claude: anthropic.Anthropic, upstream: Upstream) -> None:
    """Two failures in a row are gone before the client hears of any."""
    talks = script("anthropic", "text", stream=False)
    upstream.on(
        "moody",
        in_turn(anthropic_refuses(529, "overloaded_error", headers=SOON), anthropic_refuses(500, "api_error"), talks),
    )

    raw = claude.messages.with_raw_response.create(model="anthropic/moody", max_tokens=9, messages=USER)

    assert raw.headers["x-wizard-attempts"] == "3"


def test_wrong_address(polyglot: GatewayProcess) -> None:
    """A base URL that ends in `/v1`, as OpenAI's does, is told how to be right."""
    with anthropic_client(f"{polyglot.url}/v1") as client, pytest.raises(anthropic.NotFoundError) as raised:
        client.messages.create(model="chat/any", max_tokens=9, messages=USER)

    assert raised.value.status_code == 404
