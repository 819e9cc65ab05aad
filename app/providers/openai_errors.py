"""
What the failures of an OpenAI-dialect provider mean: the single translation point into the error table.

Only where the caller's own request is to blame are the provider's words passed on, to that caller alone; any other
text could hold a piece of the gateway's key or of its network.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from types import MappingProxyType

import msgspec

from app.core import errors as table
from app.core.errors import Blame, GatewayError, Kind

_WORDS_MAX, _PARAM_MAX = 1000, 100
_CALLERS_FAULT, _SERVERS_FAULT = 400, 500  # where these classes of statuses begin
_STATUS = re.compile("[1-5][0-9]{2}")
_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9}")
# For what some providers have no code: a full context (vLLM, Mistral, OpenRouter), a refused key (xAI, Gemini).
_PHRASES = (
    (re.compile("maximum context length", re.IGNORECASE), table.CONTEXT_TOO_LONG),
    (re.compile("api[ _-]?key", re.IGNORECASE), table.TARGET_MISCONFIGURED),
)
_STATUSES = MappingProxyType(
    {
        401: table.TARGET_MISCONFIGURED,
        402: table.TARGET_QUOTA_SPENT,
        403: table.TARGET_MISCONFIGURED,
        404: table.TARGET_MODEL_MISSING,
        405: table.TARGET_MISCONFIGURED,
        407: table.TARGET_MISCONFIGURED,
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
# What the body may make of a status; nothing but a status tells the others.
_REFINED = MappingProxyType(
    {
        table.INVALID_REQUEST: (
            table.CONTEXT_TOO_LONG,
            table.CONTENT_BLOCKED,
            table.TARGET_QUOTA_SPENT,
            table.TARGET_MODEL_MISSING,
            table.TARGET_MISCONFIGURED,
        ),
        table.UNPROCESSABLE: (table.CONTEXT_TOO_LONG, table.CONTENT_BLOCKED, table.TARGET_MISCONFIGURED),
        table.BODY_TOO_LARGE: (table.CONTEXT_TOO_LONG, table.TARGET_RATE_LIMITED),
        table.TARGET_RATE_LIMITED: (table.TARGET_QUOTA_SPENT,),
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
    """An error object as far as it could be read."""

    message: str = ""
    type: str = ""
    code: str = ""
    param: str = ""


def error_of_status(status: int, headers: Mapping[str, str], body: bytes, wall_s: float) -> GatewayError:
    """Return the failure of a response with a status outside 200 to 299."""
    words = _words(body)
    kind = _more_exactly(_by_status(status), words)
    return _failure(kind, words, f"The provider answered with status {status}.", retry_after_s(headers, wall_s))


def error_in_answer(body: bytes) -> GatewayError:
    """Return the failure that the `error` member of a 200 or of an event describes."""
    words = _words(body)
    kind = _NAMES.get(words.code) or _NAMES.get(words.type)
    if kind is None:
        kind = _by_status(int(words.code)) if _STATUS.fullmatch(words.code) else table.TARGET_FAILED
    return _failure(kind, words, "The provider sent an error in place of an answer.", None)


def retry_after_s(headers: Mapping[str, str], wall_s: float) -> float | None:
    """Read `retry-after-ms`, or `retry-after` in seconds or as an HTTP date; None where there is no sane value."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if _SECONDS.fullmatch(value):
            return float(value) * unit
    try:
        wait_s = parsedate_to_datetime(headers["retry-after"]).timestamp() - wall_s
    except (KeyError, ValueError, OverflowError):
        return None
    return max(0.0, wait_s) if math.isfinite(wait_s) else None


def _by_status(status: int) -> Kind:
    kind = _STATUSES.get(status)
    if kind is not None:
        return kind
    if status >= _SERVERS_FAULT:
        return table.TARGET_FAILED
    return table.INVALID_REQUEST if status >= _CALLERS_FAULT else table.TARGET_MISCONFIGURED


def _more_exactly(kind: Kind, words: _Words) -> Kind:
    """Let the body tell kinds apart that share a status."""
    exact = _NAMES.get(words.code) or _NAMES.get(words.type)
    if exact in {None, table.INVALID_REQUEST}:
        exact = next((told for pattern, told in _PHRASES if pattern.search(words.message)), exact)
    return exact if exact is not None and exact in _REFINED.get(kind, ()) else kind


def _failure(kind: Kind, words: _Words, instead: str, wait_s: float | None) -> GatewayError:
    message, param = "", ""
    if kind.blame is Blame.CALLER:
        message, param = _clean(words.message, _WORDS_MAX), _clean(words.param, _PARAM_MAX)
    return GatewayError(kind, message or instead, param=param or None, retry_after_s=wait_s if kind.retryable else None)


def _words(body: bytes) -> _Words:
    """Find the error object in whatever was sent; never fails."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Words()
    if isinstance(found, list) and len(found) == 1:  # Gemini's compatible endpoint
        found = found[0]
    if isinstance(found, dict) and found.get("error") is not None:
        found = found["error"]
    if isinstance(found, str):
        return _Words(message=found)
    if not isinstance(found, dict):
        return _Words()
    return _Words(
        message=_text(found.get("message")) or _text(found.get("detail")),
        type=_text(found.get("type")),
        code=_text(found.get("code")),
        param=_text(found.get("param")),
    )


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and abs(value) <= _SERVERS_FAULT * 2 else ""  # a status, at the most


def _clean(text: str, chars_max: int) -> str:
    """Cut a foreign text to a bounded, printable one."""
    clean = "".join(char if char.isprintable() else " " for char in text[:chars_max])
    return "" if clean.isspace() else clean
