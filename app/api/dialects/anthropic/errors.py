"""Encode a failure as Anthropic's SDKs expect it. The only module that knows Anthropic's error object."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from app.api.errors import error_object, error_response
from app.api.headers import Headers
from app.core.call import Journal
from app.core.errors import CONTEXT_TOO_LONG, TARGET_BUSY, GatewayError

# https://platform.claude.com/docs/en/api/errors
_TYPES: Final[Mapping[int, str]] = MappingProxyType(
    {
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        409: "conflict_error",
        413: "request_too_large",
        429: "rate_limit_error",
        503: "overloaded_error",
        504: "timeout_error",
        529: "overloaded_error",
    }
)
_OVERLOADED: Final = 529  # Anthropic's own status for it, which its SDKs map to an exception
_SERVER_ERROR: Final = 500
# Claude Code compacts its conversation and continues if an error contains this text.
_TOO_LONG: Final = "prompt is too long"


def message_refusal(error: GatewayError, request_id: str, journal: Journal | None) -> tuple[int, Headers, bytes]:
    """Return status, headers and body of an error response."""
    _, headers, _ = error_response(error, request_id, journal)
    body = msgspec.json.encode(_envelope(error, request_id, journal))
    return status_of(error), [*headers, (b"request-id", request_id.encode())], body


def message_error_frame(error: GatewayError, request_id: str, journal: Journal) -> bytes:
    """Return the last event of a stream that failed after it had begun."""
    return b"event: error\ndata: %b\n\n" % msgspec.json.encode(_envelope(error, request_id, journal))


def status_of(error: GatewayError) -> int:
    """Return the HTTP status, by which the SDKs choose their exception."""
    busy = error.kind is TARGET_BUSY and error.upstream_status != error.kind.status  # an upstream 503 stays one
    return _OVERLOADED if busy else error.kind.status


def _envelope(error: GatewayError, request_id: str, journal: Journal | None) -> dict[str, object]:
    fields = error_object(error, request_id, journal)
    fields["type"] = _type_of(error)
    fields["details"] = {"error_code": error.kind.code}
    if error.kind is CONTEXT_TOO_LONG and _TOO_LONG not in error.message.lower():
        fields["message"] = f"{_TOO_LONG}: {error.message}"
    return {"type": "error", "error": fields, "request_id": request_id}


def _type_of(error: GatewayError) -> str:
    status = status_of(error)
    return _TYPES.get(status) or ("api_error" if status >= _SERVER_ERROR else "invalid_request_error")
