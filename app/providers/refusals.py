"""
Failures as they are told to the caller, whatever dialect they came in.

Only where the caller's own request is to blame are the provider's words passed on, to that caller alone; any other
text could hold a piece of the gateway's key or of its network.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import Final, TypeAlias, TypeVar

from app.core import errors as table
from app.core.errors import Blame, GatewayError, Kind

Otherwise = TypeVar("Otherwise")
Phrases: TypeAlias = tuple[tuple[re.Pattern[str], Kind], ...]  # what a provider writes where it has no code for it

_WORDS_MAX, _PARAM_MAX = 1000, 100
_SECONDS: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{0,9})?|\.[0-9]{1,9}")
_STATUSES = MappingProxyType(
    {
        400: table.INVALID_REQUEST,
        402: table.TARGET_QUOTA_SPENT,
        404: table.TARGET_MODEL_MISSING,
        408: table.TARGET_TIMEOUT,
        409: table.CONFLICT,
        413: table.BODY_TOO_LARGE,
        422: table.UNPROCESSABLE,
        429: table.TARGET_RATE_LIMITED,
        498: table.TARGET_BUSY,  # Groq: no room in its flex tier
        503: table.TARGET_BUSY,
        504: table.TARGET_TIMEOUT,
        524: table.TARGET_TIMEOUT,
        529: table.TARGET_BUSY,
    }
)


def failure(kind: Kind, words: str, instead: str, wait_s: float | None = None, param: str = "") -> GatewayError:
    """Return a failure of `kind`: in the provider's `words` if they are for the caller, else in those of `instead`."""
    message, named = "", ""
    if kind.blame is Blame.CALLER:
        message, named = _clean(words, _WORDS_MAX), _clean(param, _PARAM_MAX)
    return GatewayError(kind, message or instead, param=named or None, retry_after_s=wait_s if kind.retryable else None)


def refused(status: int, kind: Kind, words: str, wait_s: float | None, param: str = "") -> GatewayError:
    """Return the failure of a response with a status outside 200 to 299."""
    return failure(kind, words, f"The provider answered with status {status}.", wait_s, param)


def in_answer(kind: Kind, words: str, wait_s: float | None = None, param: str = "") -> GatewayError:
    """Return the failure that stands in place of an answer, or of the rest of one."""
    return failure(kind, words, "The provider sent an error in place of an answer.", wait_s, param)


def kind_of_status(status: int) -> Kind:
    """Return what a status outside 200 to 299 means where nothing else is known."""
    kind = _STATUSES.get(status)
    if kind is not None:
        return kind
    return table.TARGET_FAILED if status >= HTTPStatus.INTERNAL_SERVER_ERROR else table.TARGET_MISCONFIGURED


def phrases(*known: tuple[str, Kind]) -> Phrases:
    """Return what patterns mean in a provider's words, however they are written; the first one counts."""
    return tuple([(re.compile(words, re.IGNORECASE), kind) for words, kind in known])


def told_by(phrases: Phrases, words: str, otherwise: Otherwise) -> Kind | Otherwise:
    """Return the kind of the first phrase that is among the words."""
    return next((kind for pattern, kind in phrases if pattern.search(words)), otherwise)


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


def _clean(text: str, chars_max: int) -> str:
    """Cut a foreign text to a bounded, printable one."""
    shown = "".join(char if char.isprintable() else " " for char in text[:chars_max])
    return "" if shown.isspace() else shown
