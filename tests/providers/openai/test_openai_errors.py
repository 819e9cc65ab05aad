"""What refusals of OpenAI-dialect providers mean, and that none of them speaks to the wrong person."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.core import errors as table
from app.core.errors import Blame, GatewayError, Kind
from app.providers.openai.errors import error_in_answer, error_of_status
from app.providers.refusals import retry_after_s

CANARY = "sk-proj-CANARY0123456789"
NOW = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT
FIELDS = ("message", "type", "code", "param", "detail")


def body(**fields: object) -> bytes:
    """Return an error body in OpenAI's form."""
    return json.dumps({"error": fields}).encode()


def refusal(status: int, raw: bytes = b"", **headers: str) -> GatewayError:
    """Return what a status means."""
    return error_of_status(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw, NOW)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, table.TARGET_MISCONFIGURED),
        (400, table.INVALID_REQUEST),
        (401, table.TARGET_MISCONFIGURED),
        (402, table.TARGET_QUOTA_SPENT),
        (403, table.TARGET_MISCONFIGURED),
        (404, table.TARGET_MODEL_MISSING),
        (405, table.TARGET_MISCONFIGURED),
        (407, table.TARGET_MISCONFIGURED),
        (408, table.TARGET_TIMEOUT),
        (409, table.CONFLICT),
        (413, table.BODY_TOO_LARGE),
        (418, table.INVALID_REQUEST),
        (422, table.UNPROCESSABLE),
        (429, table.TARGET_RATE_LIMITED),
        (498, table.TARGET_BUSY),
        (500, table.TARGET_FAILED),
        (502, table.TARGET_FAILED),
        (503, table.TARGET_BUSY),
        (504, table.TARGET_TIMEOUT),
        (520, table.TARGET_FAILED),
        (524, table.TARGET_TIMEOUT),
        (529, table.TARGET_BUSY),
        (599, table.TARGET_FAILED),
    ],
)
@pytest.mark.parametrize("raw", [b"", b"<html>", b"{}", b'{"error":null}', b'{"error":{"code":null}}', b"\xff", b"[1]"])
def test_a_status_alone_tells_the_kind(status: int, kind: Kind, raw: bytes) -> None:
    """Without a body that says more, the status decides."""
    error = refusal(status, raw)

    assert (error.kind, error.param) == (kind, None)
    assert str(status) in error.message


@pytest.mark.parametrize(
    ("status", "fields", "kind"),
    [
        (400, {"code": "context_length_exceeded", "type": "invalid_request_error"}, table.CONTEXT_TOO_LONG),
        (400, {"code": 400, "type": "exceed_context_size_error", "n_ctx": 4096}, table.CONTEXT_TOO_LONG),
        (400, {"code": "string_above_max_length"}, table.CONTEXT_TOO_LONG),
        (400, {"code": "content_filter", "type": None, "innererror": {}}, table.CONTENT_BLOCKED),
        (400, {"code": "content_policy_violation"}, table.CONTENT_BLOCKED),
        (400, {"code": "model_not_found"}, table.TARGET_MODEL_MISSING),
        (400, {"code": None, "type": "invalid_request_error", "param": "messages"}, table.INVALID_REQUEST),
        (400, {"code": "unknown", "type": "unknown"}, table.INVALID_REQUEST),
        (401, {"code": "invalid_api_key", "type": "invalid_request_error"}, table.TARGET_MISCONFIGURED),
        (401, {"code": "context_length_exceeded"}, table.TARGET_MISCONFIGURED),
        (404, {"code": "model_not_found", "type": "invalid_request_error"}, table.TARGET_MODEL_MISSING),
        (429, {"code": "insufficient_quota", "type": "insufficient_quota"}, table.TARGET_QUOTA_SPENT),
        (429, {"code": "billing_hard_limit_reached"}, table.TARGET_QUOTA_SPENT),
        (429, {"code": "rate_limit_exceeded", "type": "tokens"}, table.TARGET_RATE_LIMITED),
        (500, {"code": "insufficient_quota"}, table.TARGET_FAILED),
        (503, {"code": "invalid_request_error"}, table.TARGET_BUSY),
    ],
)
def test_the_body_tells_kinds_of_one_status_apart(status: int, fields: dict[str, Any], kind: Kind) -> None:
    """Codes and types refine the statuses that stand for several things, and no others."""
    error = refusal(status, body(message="m", **fields))

    assert error.kind is kind


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.",
        "Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length",
        "This endpoint's maximum context length is 131072 tokens. However, you requested about 140000 tokens.",
        "The decoder prompt (length 9000) is longer than the maximum model length of 8192.",
        "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
        "This model's maximum prompt length is 131072 but the request contains 190000 tokens.",
        "Invalid request: Your request exceeded model token limit: 8192",
        "Input validation error: `inputs` must have less than 1024 tokens. Given: 2000",
        "invalid params, context window exceeds limit",
        "the request exceeds the available context size. try increasing the context size",
    ],
    ids=["vllm", "mistral", "openrouter", "vllm-prompt", "sglang", "xai", "moonshot", "tgi", "minimax", "llamacpp"],
)
def test_knows_a_full_context_by_its_words(message: str) -> None:
    """Servers without a code for it have words for it, and a fallback may then find a larger model."""
    error = refusal(400, body(message=message, type="BadRequestError", param=None, code=400))

    assert error.kind is table.CONTEXT_TOO_LONG


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"detail": [{"loc": ["body", "messages", 0], "msg": "Field required"}, 1]}, "body.messages.0: Field required"),
        ({"detail": [{"msg": "Field required"}]}, "Field required"),
        ({"detail": [{"loc": ["body"], "msg": 7.5}]}, "body"),
        ({"object": "error", "message": {"detail": [{"loc": ["body"], "msg": "no"}]}}, "body: no"),
        ({"detail": "no"}, "no"),
        ({"detail": []}, "The provider answered with status 422."),
        ({"detail": [7]}, "The provider answered with status 422."),
    ],
)
def test_tells_the_first_complaint_of_a_list(given: dict[str, object], message: str) -> None:
    """Servers made with FastAPI, and Mistral, list what is wrong with the request; the caller is told the first."""
    assert refusal(422, json.dumps(given).encode()).message == message


@pytest.mark.parametrize("status", [400, 422])
@pytest.mark.parametrize("name", [{"code": "invalid_api_key"}, {"type": "authentication_error"}])
def test_a_refused_key_is_never_the_callers_fault(status: int, name: dict[str, str]) -> None:
    """Some providers refuse the gateway's key with a 400; the caller is neither blamed nor told about it."""
    error = refusal(status, body(message=f"Incorrect API key provided: {CANARY}", **name))

    assert error.kind is table.TARGET_MISCONFIGURED
    assert CANARY not in error.message


def test_a_token_limit_with_status_413_is_a_rate_limit() -> None:
    """Groq answers 413 when one request exceeds the tokens per minute of the gateway's own account, and names it."""
    words = "Request too large for model `m` in organization `org_CANARY` on tokens per minute (TPM): Limit 6000"

    error = refusal(413, body(message=words, type="tokens", code="rate_limit_exceeded"))

    assert error.kind is table.TARGET_RATE_LIMITED
    assert "org_CANARY" not in error.message


@pytest.mark.parametrize(
    "raw",
    [
        body(message="too hot", param="temperature"),
        b'{"error":{"message":"too hot"}}',
        b'{"object":"error","message":"too hot","type":"BadRequestError","param":null,"code":400}',
        b'{"error":"too hot"}',
        b'{"detail":"too hot"}',
        b'{"error":{"detail":"too hot"}}',
        b'"too hot"',
    ],
)
def test_quotes_the_provider_when_the_caller_is_to_blame(raw: bytes) -> None:
    """Who sent a bad request reads the provider's own words about it, in whatever form they came."""
    assert refusal(400, raw).message == "too hot"


def test_names_the_parameter() -> None:
    """The path of the wrong field is passed on with the provider's words."""
    assert refusal(400, body(message="too hot", param="temperature")).param == "temperature"


def test_foreign_words_are_bounded_and_printable() -> None:
    """A provider's text can neither fill a log nor steer a terminal."""
    error = refusal(400, body(message="\x1b[31m\u202e\r\n" + "x" * 5000, param="p\n" * 500))

    assert error.message.isprintable()
    assert len(error.message) == 1000
    assert error.param is not None
    assert error.param.isprintable()
    assert len(error.param) == 100


@pytest.mark.parametrize("field", FIELDS)
def test_never_quotes_to_the_wrong_person(field: str) -> None:
    """Unless the caller's own request is to blame, nothing of what the provider wrote is passed on."""
    errors = [refusal(status, body(**{"message": "m", field: CANARY})) for status in range(100, 600)]

    quoting = [error for error in errors if CANARY in f"{error} {error.message} {error.param} {error.suggestion}"]
    assert {error.kind.blame for error in quoting} <= {Blame.CALLER}
    assert all(error.kind.blame is not Blame.CALLER for error in errors[:300] + errors[400:])


@pytest.mark.parametrize(
    "raw", [body(message=CANARY), CANARY.encode(), json.dumps(CANARY).encode(), b'{"detail":"sk-"}']
)
@pytest.mark.parametrize("status", [301, 401, 403, 404, 407, 429, 500, 502, 503])
def test_a_key_in_a_refusal_stays_inside(status: int, raw: bytes) -> None:
    """A provider that repeats the gateway's key in its refusal does not give it away."""
    error = refusal(status, raw)

    assert "sk-" not in f"{error} {error.message} {error.param} {error.suggestion}"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": " 2 "}, 2.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "1"}, 1.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:50:07 GMT"}, 30.0),
        ({"retry-after": "Sunday, 06-Nov-94 08:50:07 GMT"}, 30.0),
        ({"retry-after": "Sun, 06 Nov 1994 09:50:07 +0100"}, 30.0),
        ({"retry-after": "Sun, 06 Nov 1994 08:00:00 GMT"}, 0.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "1e3"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1.2.3"}, None),
        ({"retry-after": "."}, None),
        ({"retry-after": "1,5"}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": "²"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Sun, 99 Nov 1994 08:49:37 GMT"}, None),
        ({"retry-after": "Sun, 06 Nov 1994 08:49:37 +999999"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after-ms": "9" * 400}, None),
    ],
)
def test_reads_when_to_come_back(headers: dict[str, str], expected: float | None) -> None:
    """Seconds, fractions, milliseconds and HTTP dates are understood; anything else is as good as nothing."""
    assert retry_after_s(headers, NOW) == expected


@pytest.mark.parametrize(
    ("status", "expected"), [(429, 7.0), (503, 7.0), (500, 7.0), (400, None), (401, None), (402, None)]
)
def test_a_wait_is_named_only_where_it_helps(status: int, expected: float | None) -> None:
    """Nobody is told to wait for what waiting cannot change."""
    assert refusal(status, retry_after="7").retry_after_s == expected


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b'{"code":429,"message":"m"}', table.TARGET_RATE_LIMITED),
        (b'{"code":"503"}', table.TARGET_BUSY),
        (b'{"code":"context_length_exceeded"}', table.CONTEXT_TOO_LONG),
        (b'{"code":400,"type":"invalid_request_error"}', table.INVALID_REQUEST),
        (b'{"type":"rate_limit_error","code":null}', table.TARGET_RATE_LIMITED),
        (b'{"type":"server_error"}', table.TARGET_FAILED),
        (b'{"code":1}', table.TARGET_FAILED),
        (b'{"code":"4000"}', table.TARGET_FAILED),
        ('{"code":"²²²"}'.encode(), table.TARGET_FAILED),
        (b"{}", table.TARGET_FAILED),
        (b'"boom"', table.TARGET_FAILED),
        (b"[]", table.TARGET_FAILED),
        (b"true", table.TARGET_FAILED),
    ],
)
def test_reads_errors_inside_answers(raw: bytes, kind: Kind) -> None:
    """An error in a 200 or in an event is known by its code, its type, or the status it names."""
    assert error_in_answer(raw).kind is kind


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from([*FIELDS, "error"]), inner)),
    max_leaves=8,
)
DIGITS = st.text("0123\u00b2\u0663\uff15", min_size=3, max_size=3).map(lambda code: body(code=code))
BODIES = st.one_of(st.binary(max_size=60), JSON.map(lambda found: json.dumps(found).encode()), DIGITS)


@settings(deadline=None)
@given(st.integers(100, 599), BODIES, st.text(max_size=40))
@example(400, b'{"error":{"code":' + b"9" * 5000 + b"}}", "")
@example(400, b"[" * 100_000, "")
def test_every_refusal_has_a_meaning(status: int, raw: bytes, wait: str) -> None:
    """Whatever the status, the body and the headers, there is an error with a message and a sane wait."""
    errors = (refusal(status, raw, retry_after=wait), refusal(status, raw, retry_after_ms=wait), error_in_answer(raw))

    for error in errors:
        assert error.message
        assert error.message.isprintable()
        assert error.retry_after_s is None or 0 <= error.retry_after_s < math.inf
