"""
What the failures of an OpenAI-dialect provider mean: the single translation point into the error table.

Only where the caller's own request is to blame are the provider's words passed on, to that caller alone; any other
text could hold a piece of the gateway's key or of its network.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from types import MappingProxyType

import msgspec

from app.core import errors as table
from app.core.errors import Blame, GatewayError, Kind

_WORDS_MAX = 1000
_CALLERS_FAULT, _SERVERS_FAULT = 400, 500  # where these classes of statuses begin
_STATUS_DIGITS = 3
_STATUSES = MappingProxyType(
    {
        401: table.TARGET_MISCONFIGURED,
        402: table.TARGET_QUOTA_SPENT,
        403: table.TARGET_MISCONFIGURED,
        404: table.TARGET_MODEL_MISSING,
        408: table.TARGET_TIMEOUT,
        409: table.CONFLICT,
        413: table.BODY_TOO_LARGE,
        422: table.UNPROCESSABLE,
        429: table.TARGET_RATE_LIMITED,
        503: table.TARGET_BUSY,
        504: table.TARGET_TIMEOUT,
        524: table.TARGET_TIMEOUT,
        529: table.TARGET_BUSY,
    }
)
# Codes and types as OpenAI, Azure, Groq, Mistral, OpenRouter and vLLM send them.
_NAMES = MappingProxyType(
    {
        "context_length_exceeded": table.CONTEXT_TOO_LONG,
        "string_above_max_length": table.CONTEXT_TOO_LONG,
        "exceed_context_size_error": table.CONTEXT_TOO_LONG,
        "content_filter": table.CONTENT_BLOCKED,
        "content_policy_violation": table.CONTENT_BLOCKED,
        "insufficient_quota": table.TARGET_QUOTA_SPENT,
        "billing_hard_limit_reached": table.TARGET_QUOTA_SPENT,
        "rate_limit_exceeded": table.TARGET_RATE_LIMITED,
        "rate_limit_error": table.TARGET_RATE_LIMITED,
        "tokens": table.TARGET_RATE_LIMITED,
        "requests": table.TARGET_RATE_LIMITED,
        "model_not_found": table.TARGET_MODEL_MISSING,
        "invalid_api_key": table.TARGET_MISCONFIGURED,
        "authentication_error": table.TARGET_MISCONFIGURED,
        "permission_error": table.TARGET_MISCONFIGURED,
        "overloaded_error": table.TARGET_BUSY,
        "server_overloaded": table.TARGET_BUSY,
        "service_unavailable": table.TARGET_BUSY,
        "timeout_error": table.TARGET_TIMEOUT,
        "invalid_request_error": table.INVALID_REQUEST,
        "bad_request_error": table.INVALID_REQUEST,
    }
)


class _Words(msgspec.Struct, frozen=True):
    """An error object; every field may be missing or of any type."""

    message: str = ""
    type: str = ""
    code: str = ""
    param: str | None = None


def error_of_status(status: int, headers: Mapping[str, str], body: bytes, wall_s: float) -> GatewayError:
    """Return the failure of a response with a status outside 200 to 299."""
    words = _words(body)
    kind = _by_status(status)
    if kind in {table.INVALID_REQUEST, table.TARGET_RATE_LIMITED, table.TARGET_MODEL_MISSING}:
        kind = _more_exactly(kind, words)
    return _failure(kind, words, f"The provider answered with status {status}.", retry_after_s(headers, wall_s))


def error_in_answer(body: bytes) -> GatewayError:
    """Return the failure that the `error` member of a 200 or of an event describes."""
    words = _words(body)
    kind = _NAMES.get(words.code) or _NAMES.get(words.type)
    if kind is None:
        kind = (
            _by_status(int(words.code))
            if words.code.isdigit() and len(words.code) == _STATUS_DIGITS
            else table.TARGET_FAILED
        )
    return _failure(kind, words, "The provider sent an error in place of an answer.", None)


def retry_after_s(headers: Mapping[str, str], wall_s: float) -> float | None:
    """Read `retry-after-ms`, or `retry-after` in seconds or as an HTTP date; None where there is no sane value."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if value.replace(".", "", 1).isascii() and value.replace(".", "", 1).isdigit():
            return float(value) * unit
    try:
        until = parsedate_to_datetime(headers["retry-after"])
        return max(0.0, until.timestamp() - wall_s)
    except (KeyError, ValueError, OverflowError):
        return None


def _by_status(status: int) -> Kind:
    kind = _STATUSES.get(status)
    if kind is not None:
        return kind
    if status >= _SERVERS_FAULT:
        return table.TARGET_FAILED
    return table.INVALID_REQUEST if status >= _CALLERS_FAULT else table.TARGET_MISCONFIGURED


def _more_exactly(kind: Kind, words: _Words) -> Kind:
    """Let the error's code tell kinds apart that share a status."""
    exact = _NAMES.get(words.code) or _NAMES.get(words.type)
    same_status = {
        table.CONTEXT_TOO_LONG, table.CONTENT_BLOCKED, table.TARGET_QUOTA_SPENT, table.TARGET_MODEL_MISSING,
    }  # fmt: skip
    return exact if exact in same_status else kind


def _failure(kind: Kind, words: _Words, instead: str, wait_s: float | None) -> GatewayError:
    quotable = kind.blame is Blame.CALLER and words.message
    message = _clean(words.message) if quotable else instead
    param = _clean(words.param)[:100] if quotable and words.param else None
    return GatewayError(kind, message, param=param, retry_after_s=wait_s if kind.retryable else None)


def _words(body: bytes) -> _Words:
    """Find the error object in whatever was sent; never fails."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Words()
    if isinstance(found, dict) and "error" in found:
        found = found["error"]
    if isinstance(found, str):
        return _Words(message=found)
    if not isinstance(found, dict):
        return _Words()
    message = found.get("message") or found.get("detail")
    param = found.get("param")
    return _Words(
        message=message if isinstance(message, str) else "",
        type=str(found.get("type") or ""),
        code=str(found.get("code") or ""),
        param=param if isinstance(param, str) else None,
    )


def _clean(text: str) -> str:
    """Cut a foreign text to a bounded, printable one."""
    return "".join(char if char.isprintable() else " " for char in text[:_WORDS_MAX])
