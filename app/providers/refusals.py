"""
Failures as they are told to the caller, whatever dialect they came in.

Only where the caller's own request is to blame are the provider's words passed on, to that caller alone; any other
text could hold a piece of the gateway's key or of its network.
"""

from __future__ import annotations

from http import HTTPStatus
from types import MappingProxyType

from app.core import errors as table
from app.core.errors import Blame, GatewayError, Kind

WORDS_MAX = 1000
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
        503: table.TARGET_BUSY,
        504: table.TARGET_TIMEOUT,
        529: table.TARGET_BUSY,
    }
)


def failure(kind: Kind, words: str, instead: str, wait_s: float | None = None) -> GatewayError:
    """Return a failure of `kind`: in the provider's `words` if they are for the caller, else in those of `instead`."""
    message = clean(words, WORDS_MAX) if kind.blame is Blame.CALLER else ""
    return GatewayError(kind, message or instead, retry_after_s=wait_s if kind.retryable else None)


def clean(text: str, chars_max: int) -> str:
    """Cut a foreign text to a bounded, printable one."""
    shown = "".join(char if char.isprintable() else " " for char in text[:chars_max])
    return "" if shown.isspace() else shown


def kind_of_status(status: int) -> Kind:
    """Return what a status outside 200 to 299 means where nothing else is known."""
    kind = _STATUSES.get(status)
    if kind is not None:
        return kind
    return table.TARGET_FAILED if status >= HTTPStatus.INTERNAL_SERVER_ERROR else table.TARGET_MISCONFIGURED
