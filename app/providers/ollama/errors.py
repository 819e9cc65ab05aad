"""What the failures of Ollama mean: its statuses and a few words, by one table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from app.core import errors as table
from app.core.errors import GatewayError, Kind
from app.providers.canonical.decoding import heard_or
from app.providers.refusals import in_answer, kind_of_status, phrases, refused, retry_after_s, told_by

_PHRASES: Final = phrases(
    (r"model .{0,200}not found|try pulling it", table.TARGET_MODEL_MISSING),
    (r"does not support", table.UNSUPPORTED_FEATURE),
    (r"exceeds? (?:the )?(?:available )?context|context (?:length|size)|input length", table.CONTEXT_TOO_LONG),
    (r"busy|maximum pending requests", table.TARGET_BUSY),
)
# What the words of an error may make of a status; an error in the middle of a stream has no status.
_VAGUE: Final = frozenset({table.INVALID_REQUEST, table.TARGET_FAILED})


class _Body(msgspec.Struct, frozen=True):
    error: str = ""


def error_of_status(status: int, headers: Mapping[str, str], body: bytes, wall_s: float) -> GatewayError:
    """Return the failure of a response with a status outside 200 to 299."""
    text = heard_or(_Body(), body).error
    return refused(status, _more_exactly(kind_of_status(status), text), text, retry_after_s(headers, wall_s))


def error_in_answer(text: str) -> GatewayError:
    """Return the failure that stands in place of an answer."""
    return in_answer(_more_exactly(table.TARGET_FAILED, text), text)


def _more_exactly(kind: Kind, text: str) -> Kind:
    return told_by(_PHRASES, text, kind) if kind in _VAGUE else kind
