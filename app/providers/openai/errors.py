"""What the failures of an OpenAI-dialect provider mean: the single translation point into the error table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, Final

import msgspec

from app.core import errors as table
from app.core.errors import GatewayError, Kind
from app.providers.canonical.decoding import UNREADABLE
from app.providers.refusals import in_answer, kind_of_status, phrases, refused, retry_after_s, told_by

_STATUS_MAX = 999
_STATUS = re.compile("[1-5][0-9]{2}")
# For what some providers have no code: a full context (vLLM, SGLang, xAI, Moonshot, TGI), a refused key (xAI, Gemini).
_PHRASES: Final = phrases(
    (
        r"context (?:length|window|size)|(?:prompt|model) length|model token limit|less than \d+ tokens",
        table.CONTEXT_TOO_LONG,
    ),
    ("api[ _-]?key", table.TARGET_MISCONFIGURED),
)
_REFUSED_US: Final = frozenset({401, 403, 405, 407})
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


class Words(msgspec.Struct, frozen=True):
    """An error object as far as it could be read."""

    message: str = ""
    type: str = ""
    code: str = ""
    param: str = ""


def error_of_status(status: int, headers: Mapping[str, str], body: bytes, wall_s: float) -> GatewayError:
    """Return the failure of a response with a status outside 200 to 299."""
    words = words_in(body)
    kind = _more_exactly(_by_status(status), words)
    return refused(status, kind, words.message, retry_after_s(headers, wall_s), words.param)


def error_in_answer(body: bytes) -> GatewayError:
    """Return the failure that the `error` member of a 200 or of an event describes."""
    words = words_in(body)
    kind = _NAMES.get(words.code) or _NAMES.get(words.type)
    if kind is None:
        kind = _by_status(int(words.code)) if _STATUS.fullmatch(words.code) else table.TARGET_FAILED
    return in_answer(kind, words.message, param=words.param)


def _by_status(status: int) -> Kind:
    kind = kind_of_status(status)
    if kind is table.TARGET_MISCONFIGURED and status >= HTTPStatus.BAD_REQUEST and status not in _REFUSED_US:
        return table.INVALID_REQUEST
    return kind


def _more_exactly(kind: Kind, words: Words) -> Kind:
    """Let the body tell kinds apart that share a status."""
    exact = _NAMES.get(words.code) or _NAMES.get(words.type)
    if exact in {None, table.INVALID_REQUEST}:
        exact = told_by(_PHRASES, words.message, exact)
    return exact if exact is not None and exact in _REFINED.get(kind, ()) else kind


def words_in(body: bytes) -> Words:
    """Find the error object in whatever was sent; never fails."""
    try:
        found = msgspec.json.decode(body)
    except UNREADABLE:
        return Words()
    if isinstance(found, list) and len(found) == 1:  # Gemini's compatible endpoint
        found = found[0]
    if isinstance(found, dict) and found.get("error") is not None:
        found = found["error"]
    if isinstance(found, str):
        return Words(message=found)
    if not isinstance(found, dict):
        return Words()
    return Words(
        message=_text(found.get("message")) or _complaint(found),
        type=_text(found.get("type")),
        code=_text(found.get("code")),
        param=_text(found.get("param")),
    )


def _complaint(found: dict[str, Any]) -> str:
    """Return the first of FastAPI's complaints, with its place; Mistral has them in its message."""
    within = found.get("message")
    detail = (within if isinstance(within, dict) else found).get("detail")
    first = detail[0] if isinstance(detail, list) and detail else None
    if not isinstance(first, dict):
        return _text(detail)
    place = first.get("loc")
    steps = [str(step) for step in place] if isinstance(place, list) else []
    return ": ".join(part for part in (".".join(steps), _text(first.get("msg"))) if part)


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, int) and abs(value) <= _STATUS_MAX else ""  # a status, at the most
