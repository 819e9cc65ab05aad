"""What the failures of Anthropic mean, by one table: at its own API and at the servers that imitate it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from app.core import errors as table
from app.core.errors import GatewayError, Kind
from app.providers.canonical.decoding import heard_or
from app.providers.refusals import in_answer, kind_of_status, phrases, refused, retry_after_s, told_by

# https://platform.claude.com/docs/en/api/errors
_TYPES: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "invalid_request_error": table.INVALID_REQUEST,
        "authentication_error": table.TARGET_MISCONFIGURED,
        "billing_error": table.TARGET_QUOTA_SPENT,
        "permission_error": table.TARGET_MISCONFIGURED,
        "not_found_error": table.TARGET_MODEL_MISSING,
        "conflict_error": table.CONFLICT,
        "request_too_large": table.BODY_TOO_LARGE,
        "rate_limit_error": table.TARGET_RATE_LIMITED,
        "api_error": table.TARGET_FAILED,
        "timeout_error": table.TARGET_TIMEOUT,
        "overloaded_error": table.TARGET_BUSY,
    }
)
_STATUSES: Final[Mapping[int, Kind]] = MappingProxyType(
    {
        401: table.TARGET_MISCONFIGURED,
        403: table.TARGET_MISCONFIGURED,
        404: table.TARGET_MODEL_MISSING,
        422: table.UNPROCESSABLE,
    }
)
_CODES: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "enforced_spend_limit_reached": table.TARGET_QUOTA_SPENT,
        "contract_spend_limit_reached": table.TARGET_QUOTA_SPENT,
        "organization_on_hold": table.TARGET_MISCONFIGURED,
    }
)
_VAGUE: Final = frozenset({table.INVALID_REQUEST, table.UNPROCESSABLE})
# `invalid_request_error` says many things; these are not the caller's fault, or have a name of their own.
_PHRASES: Final = phrases(
    (r"prompt is too long|exceeds? (?:the )?(?:maximum )?context|context (?:window|length)", table.CONTEXT_TOO_LONG),
    (r"credit balance|specified (?:API )?usage|spend limit", table.TARGET_QUOTA_SPENT),
    (r"content filtering policy|blocked by content", table.CONTENT_BLOCKED),
    (r"x-api-key|api[ _-]?key", table.TARGET_MISCONFIGURED),
)


class _Details(msgspec.Struct, frozen=True):
    error_code: str | None = None


class _Error(msgspec.Struct, frozen=True):
    type: str = ""
    message: str = ""
    details: _Details | None = None


class _Envelope(msgspec.Struct, frozen=True):
    error: _Error = _Error()


def error_of_status(status: int, headers: Mapping[str, str], body: bytes, wall_s: float) -> GatewayError:
    """Return the failure of a response with a status outside 200 to 299."""
    error = heard_or(_Envelope(), body).error
    kind = _TYPES.get(error.type)
    if kind in {None, table.INVALID_REQUEST}:  # servers that imitate it call each refusal so, whatever its status
        kind = _STATUSES.get(status) or kind or kind_of_status(status)
    kind = _refined(kind, error)
    found = refused(status, kind, error.message, retry_after_s(headers, wall_s))
    if kind is table.TARGET_MODEL_MISSING and "model" in error.message.lower():
        found.param = "model"  # else it may be the address that is not there
    return found


def error_in_answer(raw: bytes) -> GatewayError:
    """Return the failure that stands in place of an answer, or of the rest of one."""
    error = heard_or(_Error(), raw)
    return in_answer(_refined(_TYPES.get(error.type, table.TARGET_FAILED), error), error.message)


def _refined(kind: Kind, error: _Error) -> Kind:
    code = (error.details and error.details.error_code) or ""
    if code in _CODES:
        return _CODES[code]
    return told_by(_PHRASES, error.message, kind) if kind in _VAGUE else kind
