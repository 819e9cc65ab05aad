"""What the failures of Anthropic mean, and that none of its words reach the wrong person."""

from __future__ import annotations

import json

import pytest

from app.core import errors as table
from app.core.errors import Blame, GatewayError, Kind
from app.providers.anthropic.errors import error_in_answer, error_of_status

CANARY = "sk-ant-CANARY"


def body(kind: str, message: str = "m", code: str | None = None) -> bytes:
    """Return an error as the API writes it."""
    error: dict[str, object] = {"type": kind, "message": message}
    if code is not None:
        error["details"] = {"error_code": code}
    return json.dumps({"type": "error", "error": error, "request_id": "req_1"}).encode()


def refusal(status: int, raw: bytes, **headers: str) -> GatewayError:
    """Return what a status means."""
    return error_of_status(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw, 0.0)


@pytest.mark.parametrize(
    ("status", "kind", "expected"),
    [
        (400, "invalid_request_error", table.INVALID_REQUEST),
        (401, "authentication_error", table.TARGET_MISCONFIGURED),
        (402, "billing_error", table.TARGET_QUOTA_SPENT),
        (403, "permission_error", table.TARGET_MISCONFIGURED),
        (404, "not_found_error", table.TARGET_MODEL_MISSING),
        (409, "conflict_error", table.CONFLICT),
        (413, "request_too_large", table.BODY_TOO_LARGE),
        (429, "rate_limit_error", table.TARGET_RATE_LIMITED),
        (500, "api_error", table.TARGET_FAILED),
        (504, "timeout_error", table.TARGET_TIMEOUT),
        (529, "overloaded_error", table.TARGET_BUSY),
        (400, "a_new_error", table.INVALID_REQUEST),
        (500, "a_new_error", table.TARGET_FAILED),
    ],
)
def test_types_tell_the_kind(status: int, kind: str, expected: Kind) -> None:
    """Each of the API's errors is one row of the table."""
    assert refusal(status, body(kind)).kind is expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (301, table.TARGET_MISCONFIGURED),
        (400, table.INVALID_REQUEST),
        (401, table.TARGET_MISCONFIGURED),
        (403, table.TARGET_MISCONFIGURED),
        (404, table.TARGET_MODEL_MISSING),
        (422, table.UNPROCESSABLE),
        (429, table.TARGET_RATE_LIMITED),
        (502, table.TARGET_FAILED),
        (503, table.TARGET_BUSY),
        (529, table.TARGET_BUSY),
    ],
)
@pytest.mark.parametrize("raw", [b"", b"<html>", b"{}", b'{"error":null}', b'{"error":"x"}', b"\xff", b"[1]"])
def test_a_status_alone_tells_the_kind(status: int, raw: bytes, expected: Kind) -> None:
    """Without a body that can be read, the status decides."""
    error = refusal(status, raw)

    assert error.kind is expected
    assert str(status) in error.message


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("prompt is too long: 210000 tokens > 200000 maximum", table.CONTEXT_TOO_LONG),
        ("input length and `max_tokens` exceed context limit: 1 + 2 > 3", table.CONTEXT_TOO_LONG),
        ("Your credit balance is too low to access the Anthropic API.", table.TARGET_QUOTA_SPENT),
        ("You have reached your specified API usage limits.", table.TARGET_QUOTA_SPENT),
        ("Output blocked by content filtering policy", table.CONTENT_BLOCKED),
        ("invalid x-api-key", table.TARGET_MISCONFIGURED),
        ("messages.0: all messages must have non-empty content", table.INVALID_REQUEST),
    ],
)
def test_phrases_tell_apart_what_has_one_type(message: str, expected: Kind) -> None:
    """An invalid request may be a full context, an empty account or a refused key."""
    error = refusal(400, body("invalid_request_error", message))

    assert error.kind is expected
    assert (error.message == message) is (expected.blame is Blame.CALLER)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, table.TARGET_MISCONFIGURED),
        (403, table.TARGET_MISCONFIGURED),
        (404, table.TARGET_MODEL_MISSING),
        (422, table.UNPROCESSABLE),
        (418, table.INVALID_REQUEST),
    ],
)
def test_a_status_says_more_than_the_vaguest_type(status: int, expected: Kind) -> None:
    """Servers that imitate the API call each refusal an invalid request; a refused key is still not the caller's."""
    assert refusal(status, body("invalid_request_error")).kind is expected


def test_a_spent_limit_is_no_rate_limit() -> None:
    """A limit of money is told apart from one of speed by its code."""
    error = refusal(429, body("rate_limit_error", code="enforced_spend_limit_reached"), retry_after="9")

    assert (error.kind, error.retry_after_s) == (table.TARGET_QUOTA_SPENT, None)


def test_waits_as_long_as_the_api_asks() -> None:
    """The time until the next try is read where waiting helps."""
    assert refusal(429, body("rate_limit_error"), retry_after="17").retry_after_s == 17
    assert refusal(400, body("invalid_request_error"), retry_after="17").retry_after_s is None


@pytest.mark.parametrize("kind", ["authentication_error", "api_error", "overloaded_error", "rate_limit_error", "x"])
def test_never_quotes_to_the_wrong_person(kind: str) -> None:
    """Unless the caller's own request is to blame, nothing of what the provider wrote is passed on."""
    errors = [refusal(status, body(kind, CANARY)) for status in (401, 403, 429, 500, 529)]
    errors.append(error_in_answer(json.dumps({"type": kind, "message": CANARY}).encode()))

    assert all(CANARY not in f"{error} {error.message}" for error in errors)
