"""What the failures of Cohere mean: its statuses, by one table (https://docs.cohere.com/reference/errors)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from app.core import errors as table
from app.core.errors import GatewayError, Kind
from app.providers.canonical.decoding import heard_or
from app.providers.refusals import kind_of_status, phrases, refused, retry_after_s, told_by

_STATUSES: Final[Mapping[int, Kind]] = MappingProxyType(
    {
        498: table.CONTENT_BLOCKED,  # the input was refused by a filter
        499: table.TARGET_FAILED,  # cancelled on their side
        501: table.UNSUPPORTED_FEATURE,
    }
)
# A status of 400, 404 or 422 says many things; these are the ones that have a name of their own.
_PHRASES: Final = phrases(
    (r"too many tokens|exceeds? the (?:maximum|limit)|context length|size limit", table.CONTEXT_TOO_LONG),
    (r"model .{0,120}not (?:found|exist)|model .{0,120}was removed", table.TARGET_MODEL_MISSING),
    (r"api[ _-]?(?:key|token)", table.TARGET_MISCONFIGURED),
    (r"blocked|content filter|safety", table.CONTENT_BLOCKED),
)
_VAGUE: Final = frozenset({table.INVALID_REQUEST, table.UNPROCESSABLE})
_SPENT = re.compile(r"month|billing|payment", re.IGNORECASE)


class _Body(msgspec.Struct, frozen=True):
    message: str = ""


def error_of_status(status: int, headers: Mapping[str, str], body: bytes, wall_s: float) -> GatewayError:
    """Return the failure of a response with a status outside 200 to 299."""
    text = heard_or(_Body(), body).message
    kind = _STATUSES.get(status) or kind_of_status(status)
    if kind in _VAGUE:
        kind = told_by(_PHRASES, text, kind)
    if kind is table.TARGET_RATE_LIMITED and _SPENT.search(text):
        kind = table.TARGET_QUOTA_SPENT  # the calls of a month, not of a minute
    return refused(status, kind, text, retry_after_s(headers, wall_s))
