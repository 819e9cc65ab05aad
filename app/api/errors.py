"""
Encode a failure for the client, as a whole response or as an event of a stream that has already begun.

The only module that knows OpenAI's error object.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from app.api.headers import Headers, journal_headers
from app.core.call import Journal
from app.core.errors import INTERNAL, METHOD_NOT_ALLOWED, NOT_FOUND, OVERLOADED, UNAUTHORIZED, GatewayError

SHOWN_WAIT_MAX_S = 60.0  # SDKs treat longer waits differently: some sleep, some ignore them, some give up


def error_response(error: GatewayError, request_id: str, journal: Journal | None = None) -> tuple[int, Headers, bytes]:
    """
    Return status, headers and body of an error response.

    `journal` is that of the call, if the request became one: it records the attempts, and whether the gateway has
    spent its own retries.
    """
    headers: Headers = [
        (b"content-type", b"application/json"),
        (b"x-request-id", request_id.encode()),
        (b"x-should-retry", b"true" if _should_retry(error, journal) else b"false"),
    ]
    if error.kind is UNAUTHORIZED:
        headers.append((b"www-authenticate", b"Bearer"))
    if journal is not None:
        headers += journal_headers(journal)
    if error.allow:
        headers.append((b"allow", ", ".join(error.allow).encode()))
    wait_s = error.retry_after_s
    if wait_s is not None and error.kind.retryable:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(wait_s))))
        headers.append((b"retry-after-ms", b"%d" % max(1, math.ceil(wait_s * 1000))))
    return error.kind.status, headers, msgspec.json.encode({"error": error_object(error, request_id, journal)})


def nothing_at(path: str) -> GatewayError:
    """Return the error for an unknown path."""
    return GatewayError(NOT_FOUND, f"There is nothing at {path[:200]!r}.")


def not_allowed(method: str, path: str, methods: Sequence[str]) -> GatewayError:
    """Return the error for a method that a path does not support; `methods` are those it does."""
    error = GatewayError(METHOD_NOT_ALLOWED, f"{method} is not possible at {path[:200]!r}.")
    error.allow = tuple(sorted({*methods, "HEAD"} if "GET" in methods else methods))
    return error


def error_frame(error: GatewayError, request_id: str, journal: Journal) -> bytes:
    """Return the last event of a stream that failed after it had begun."""
    return b"data: %b\n\n" % msgspec.json.encode({"error": error_object(error, request_id, journal)})


def error_object(error: GatewayError, request_id: str, journal: Journal | None) -> dict[str, object]:
    """Return the `error` object of OpenAI's dialect, with the gateway's own fields."""
    fields: dict[str, object] = {
        "message": error.message,
        "type": error.kind.type,
        "code": error.kind.code,
        "param": error.param,
        "kind": error.kind.category,
        "retryable": error.kind.retryable,
        "retry_after_s": None if error.retry_after_s is None else math.ceil(error.retry_after_s * 1000) / 1000,
        "suggestion": error.suggestion,
        "provider": error.provider,
        "source": "upstream" if error.from_upstream else "gateway",
        "request_id": request_id,
    }
    if error.limit is not None:
        fields["limit"] = error.limit
    if journal is not None and len(journal.tried) > 1:
        fields["attempts"] = [{"target": tried.target.name, "code": tried.code} for tried in journal.tried]
    return fields


def internal_error() -> GatewayError:
    """Return the error for a bug; it reveals no details."""
    return GatewayError(INTERNAL, "The gateway failed to handle this request.")


def stopping() -> GatewayError:
    """Return the error for a request that is cut off because the process stops."""
    suggestion = "Send the request again: another replica, or the one that is started next, will take it."
    return GatewayError(OVERLOADED, "The gateway is being stopped.", suggestion=suggestion)


def _should_retry(error: GatewayError, journal: Journal | None) -> bool:
    spent = error.retries_spent or (journal is not None and journal.retries_spent)
    if spent or not error.kind.retryable:
        return False
    return error.retry_after_s is None or error.retry_after_s <= SHOWN_WAIT_MAX_S
