"""What the failures of Gemini mean: Google's status words, by one table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from app.core import errors as table
from app.core.errors import GatewayError, Kind
from app.providers.canonical.decoding import UNREADABLE
from app.providers.refusals import in_answer, kind_of_status, phrases, refused, retry_after_s, told_by

# https://cloud.google.com/apis/design/errors#handling_errors
_STATUSES: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "INVALID_ARGUMENT": table.INVALID_REQUEST,
        "FAILED_PRECONDITION": table.TARGET_MISCONFIGURED,  # the free tier is not offered there, or billing is off
        "OUT_OF_RANGE": table.INVALID_REQUEST,
        "UNAUTHENTICATED": table.TARGET_MISCONFIGURED,
        "PERMISSION_DENIED": table.TARGET_MISCONFIGURED,
        "NOT_FOUND": table.TARGET_MODEL_MISSING,
        "ABORTED": table.TARGET_FAILED,
        "ALREADY_EXISTS": table.CONFLICT,
        "RESOURCE_EXHAUSTED": table.TARGET_RATE_LIMITED,
        "CANCELLED": table.TARGET_FAILED,
        "DATA_LOSS": table.TARGET_FAILED,
        "UNKNOWN": table.TARGET_FAILED,
        "INTERNAL": table.TARGET_FAILED,
        "UNIMPLEMENTED": table.UNSUPPORTED_FEATURE,
        "UNAVAILABLE": table.TARGET_BUSY,
        "DEADLINE_EXCEEDED": table.TARGET_TIMEOUT,
    }
)
# INVALID_ARGUMENT says many things; these are the ones that are not the caller's fault, or have a name of their own.
_PHRASES: Final = phrases(
    (r"api[ _-]?key", table.TARGET_MISCONFIGURED),
    (r"token count .{0,40}exceeds|exceeds the maximum number of tokens", table.CONTEXT_TOO_LONG),
    (r"user location is not supported", table.TARGET_MISCONFIGURED),
)
_DELAY = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)s")


class _Violation(msgspec.Struct, frozen=True, rename="camel"):
    quota_id: str = ""


class _Detail(msgspec.Struct, frozen=True, rename="camel"):
    retry_delay: str = ""
    reason: str = ""
    violations: list[_Violation] = []

    @property
    def of_the_day(self) -> bool:
        """Say whether what is used up comes back tomorrow, and not in a minute."""
        return any("PerDay" in violation.quota_id for violation in self.violations)


class _Error(msgspec.Struct, frozen=True):
    code: int = 0
    message: str = ""
    status: str = ""
    details: list[_Detail] = []


class _Envelope(msgspec.Struct, frozen=True):
    error: _Error


def error_of_status(status: int, headers: Mapping[str, str], body: bytes, wall_s: float) -> GatewayError:
    """Return the failure of a response with a status outside 200 to 299."""
    error = _read(body)
    wait_s = _wait_s(error)
    if wait_s is None:
        wait_s = retry_after_s(headers, wall_s)
    return refused(status, _kind(error, status), error.message, wait_s)


def error_in_answer(raw: bytes) -> GatewayError:
    """Return the failure that stands in place of an answer."""
    error = _read(b'{"error":%b}' % raw)
    return in_answer(_kind(error, error.code or 500), error.message, _wait_s(error))


def _kind(error: _Error, status: int) -> Kind:
    kind = _STATUSES.get(error.status) or kind_of_status(status)
    if kind is table.INVALID_REQUEST:
        if any(detail.reason == "API_KEY_INVALID" for detail in error.details):
            return table.TARGET_MISCONFIGURED
        return told_by(_PHRASES, error.message, kind)
    if kind is table.TARGET_RATE_LIMITED and any(detail.of_the_day for detail in error.details):
        return table.TARGET_QUOTA_SPENT
    return kind


def _wait_s(error: _Error) -> float | None:
    """Return the delay of `google.rpc.RetryInfo`, which is where Google says it."""
    for detail in error.details:
        found = _DELAY.fullmatch(detail.retry_delay)
        if found is not None:
            return float(found[1])
    return None


def _read(body: bytes) -> _Error:
    """Find the error object in whatever was sent; never fails."""
    try:
        found = msgspec.json.decode(body)
        found = found[0] if isinstance(found, list) and found else found  # how a stream begins to fail
        return msgspec.convert(found, _Envelope).error
    except UNREADABLE:
        return _Error()
