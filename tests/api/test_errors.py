"""Every row of the error table becomes a response that the official SDKs understand."""

from __future__ import annotations

import msgspec
import pytest

from app.api.errors import error_frame, error_response
from app.core.call import Journal, Target, Tried
from app.core.errors import (
    KINDS,
    RATE_LIMITED,
    TARGET_BUSY,
    TARGET_FAILED,
    TIMEOUT_TOTAL,
    GatewayError,
    Kind,
)

UNDERSTOOD = {400, 401, 403, 404, 405, 408, 409, 413, 415, 422, 429, 499, 500, 502, 503, 504, 421, 431}
FIELDS = [
    "message", "type", "code", "param", "kind", "retryable", "retry_after_s", "suggestion", "provider", "source",
    "request_id",
]  # fmt: skip


def rendered(error: GatewayError, journal: Journal | None = None) -> tuple[dict[str, str], dict[str, object]]:
    """Return headers and error object of a refusal."""
    _, headers, body = error_response(error, "req_1", journal)
    found: dict[str, object] = msgspec.json.decode(body)["error"]
    return {name.decode(): value.decode() for name, value in headers}, found


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_every_row_is_a_response(kind: Kind) -> None:
    """Each row gives a status that SDKs know and all fields of the contract, in their order."""
    status, headers, body = error_response(GatewayError(kind, "It failed."), "req_1")

    error = msgspec.json.decode(body)["error"]
    assert status in UNDERSTOOD
    assert list(error) == FIELDS
    assert (error["code"], error["message"], error["request_id"]) == (kind.code, "It failed.", "req_1")
    assert dict(headers)[b"x-should-retry"] == (b"true" if kind.retryable else b"false")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code)
def test_every_row_is_an_event(kind: Kind) -> None:
    """Each row gives one frame of one line."""
    frame = error_frame(GatewayError(kind, "line\nbreak \u2028"), "req_1", Journal())

    assert frame.startswith(b'data: {"error":{"message":')
    assert frame.endswith(b"}}\n\n")
    assert frame.count(b"\n") == 2


@pytest.mark.parametrize(
    ("wait_s", "seconds", "milliseconds"),
    [(0.0, "1", "1"), (0.02, "1", "20"), (1.0, "1", "1000"), (1.0001, "2", "1001"), (59.5, "60", "59500")],
)
def test_waits_are_told_in_both_units(wait_s: float, seconds: str, milliseconds: str) -> None:
    """`retry-after` is in whole seconds, at least one, and never less than the wait; so is the one in milliseconds."""
    headers, error = rendered(GatewayError(RATE_LIMITED, "Wait.", retry_after_s=wait_s))

    assert (headers["retry-after"], headers["retry-after-ms"]) == (seconds, milliseconds)
    assert error["retry_after_s"] == (int(milliseconds) / 1000 if wait_s else 0.0)
    assert headers["x-should-retry"] == "true"


def test_waits_beyond_a_minute_are_not_for_sdks() -> None:
    """SDKs disagree on long waits, so they are told not to retry by themselves."""
    headers, _ = rendered(GatewayError(RATE_LIMITED, "Wait.", retry_after_s=60.1))

    assert headers["x-should-retry"] == "false"


@pytest.mark.parametrize(("spent", "told"), [(True, "false"), (False, "true")])
def test_spent_retries_are_enough(spent: bool, told: str) -> None:
    """Once the gateway has retried, the client shall not, were it for this call or for one that it waited for."""
    shared = GatewayError(TARGET_FAILED, "It failed.")
    shared.retries_spent = spent

    headers, error = rendered(GatewayError(TARGET_FAILED, "It failed."), Journal(retries_spent=spent))
    headers_of_shared, _ = rendered(shared, Journal())

    assert headers["x-should-retry"] == headers_of_shared["x-should-retry"] == told
    assert error["retryable"] is True


def test_what_was_tried_is_listed() -> None:
    """More than one try at different targets is told in their order."""
    first, second = Target("a", "m"), Target("b", "m")
    journal = Journal(3, 1, second, [Tried(first, TARGET_BUSY.code), Tried(second, TARGET_FAILED.code)])

    headers, error = rendered(GatewayError(TARGET_FAILED, "It failed.").answered_by("b"), journal)

    tried = [{"target": "a/m", "code": "target_busy"}, {"target": "b/m", "code": "target_failed"}]
    assert error["attempts"] == tried
    assert (error["provider"], error["source"]) == ("b", "upstream")
    assert (headers["x-wizard-provider"], headers["x-wizard-attempts"], headers["x-wizard-fallback"]) == ("b", "3", "1")


@pytest.mark.parametrize("name", ["a\r\nset-cookie: x", "ümlaut", "\x00", "a b", "模型"])
def test_names_cannot_break_headers(name: str) -> None:
    """A model's name, which callers choose, is harmless in a header whatever it holds."""
    journal = Journal(attempts=1, target=Target("p", name))

    headers, _ = rendered(GatewayError(TIMEOUT_TOTAL, "Late."), journal)

    assert headers["x-wizard-model"].isascii()
    assert headers["x-wizard-model"].isprintable()
