"""What a request's headers say: who asks, under which id, and what shall be done differently for this one call."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from secrets import token_hex
from types import MappingProxyType
from typing import TypeAlias

import msgspec

from app.api.asgi import Scope
from app.core.admission import Priority
from app.core.call import CallOptions
from app.core.errors import INVALID_REQUEST, UNSUPPORTED_MEDIA_TYPE, GatewayError

Headers: TypeAlias = Mapping[bytes, bytes]

RETRIES_MAX = 10
_ID_BYTES, _IDS_AT_ONCE = 12, 128
_DIGITS_MAX = 9  # before the number is even read
_SANE_ID = re.compile(rb"[A-Za-z0-9._:\-]{1,128}")
_SANE_SESSION = re.compile(rb"[\x21-\x7e]{1,256}")
# SDKs write whatever they were given: "600", "0.5", "NOT_GIVEN", "None". A day is more than any answer takes.
_SDK_SECONDS = re.compile(rb"\d{1,5}(?:\.\d{1,9})?")
# The only request headers that travel on to a provider. Credentials, cookies and hop-by-hop headers never do.
_FORWARDED = tuple((name.encode(), name) for name in ("openai-beta", "idempotency-key", "traceparent", "tracestate"))


class Wishes(msgspec.Struct, frozen=True):
    """What one request asks for itself; None and True leave the configuration as it is."""

    timeout_s: float | None = None
    max_attempts: int | None = None
    retry: bool = True
    fallback: bool = True
    circuit_breaker: bool = True
    session: str | None = None
    priority: Priority = Priority.NORMAL

    def options(self) -> CallOptions:
        """Return the part of it that the stages read."""
        return CallOptions(
            self.retry, self.fallback, self.max_attempts, self.circuit_breaker, self.session, self.priority
        )


NO_WISHES = Wishes()

_PRIORITIES = MappingProxyType({priority.word.encode(): priority for priority in Priority})


def headers_of(scope: Scope) -> Headers:
    """Return the request headers by lower-case name, not decoded as few are looked at; of repeated ones the last."""
    return dict(scope["headers"])


class RequestIds:
    """Makes request ids; asks the system for randomness once for many, because that is a system call."""

    def __init__(self) -> None:
        self._hex = ""
        self._taken = 0

    def __call__(self) -> str:
        """Return a fresh id."""
        if self._taken == len(self._hex):
            self._hex, self._taken = token_hex(_ID_BYTES * _IDS_AT_ONCE), 0
        start = self._taken
        self._taken += 2 * _ID_BYTES
        return f"req_{self._hex[start : self._taken]}"


def new_request_id() -> str:
    """Return a fresh id, for routes where its cost does not count."""
    return f"req_{token_hex(_ID_BYTES)}"


def request_id_of(headers: Headers, fresh: Callable[[], str] = new_request_id) -> str:
    """Return the caller's own request id if it is sane, else a fresh one."""
    given = headers.get(b"x-request-id")
    return given.decode() if given is not None and _SANE_ID.fullmatch(given) else fresh()


def require_json(headers: Headers) -> None:
    """
    Refuse a body that is no plain JSON.

    A browser may send other types, or none, to any address without asking first (no CORS preflight), so a page on
    the internet could otherwise use a gateway on somebody's machine.

    Raises:
        GatewayError: UNSUPPORTED_MEDIA_TYPE.
    """
    media = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if media not in {b"application/json", b""} and not media.endswith(b"+json"):
        shown = media[:80].decode("latin-1")
        raise GatewayError(UNSUPPORTED_MEDIA_TYPE, f"The content type {shown!r} is not JSON.")
    if not media and b"origin" in headers:
        raise GatewayError(
            UNSUPPORTED_MEDIA_TYPE, "A request from a web page must say 'content-type: application/json'."
        )
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise GatewayError(UNSUPPORTED_MEDIA_TYPE, "Compressed request bodies are not accepted.")


def wishes_of(headers: Headers) -> Wishes:
    """
    Read the `x-wizard-*` request headers.

    Raises:
        GatewayError: INVALID_REQUEST with `param` naming the header.
    """
    timeout_ms = _whole(headers, "x-wizard-timeout-ms", 1, 86_400_000)
    retries = _whole(headers, "x-wizard-retries", 0, RETRIES_MAX)
    fallback = headers.get(b"x-wizard-fallback", b"on").lower()
    if fallback not in {b"on", b"off"}:
        raise GatewayError(INVALID_REQUEST, "'x-wizard-fallback' must be 'on' or 'off'.", param="x-wizard-fallback")
    session = headers.get(b"x-wizard-session")
    if session is not None and not _SANE_SESSION.fullmatch(session):
        message = "'x-wizard-session' must be 1 to 256 printable ASCII characters without spaces."
        raise GatewayError(INVALID_REQUEST, message, param="x-wizard-session")
    return Wishes(
        timeout_s=None if timeout_ms is None else timeout_ms / 1000,
        max_attempts=None if retries is None else retries + 1,
        retry=not _is_sdk_retry(headers),  # one layer retries: the SDK has begun to
        fallback=fallback == b"on",
        session=None if session is None else session.decode(),
        priority=_priority(headers),
    )


def caller_of(headers: Headers) -> int:
    """
    Return a number for who asks: the same for the same key, 0 without one.

    Python hashes bytes with a secret of the process, so the number gives nothing away and means nothing elsewhere.
    """
    key = headers.get(b"authorization") or headers.get(b"x-api-key")
    return hash(key) if key else 0


def sdk_patience_s(headers: Headers) -> float | None:
    """
    Return the seconds after which the caller's SDK gives up a whole answer, as it says itself; None if it does not.

    For a stream the same header bounds only the silence between two pieces, so it says nothing about the whole.
    """
    given = headers.get(b"x-stainless-read-timeout", b"")
    seconds = float(given) if _SDK_SECONDS.fullmatch(given) else 0.0
    return seconds if seconds > 0 else None


def merged(one: Wishes, other: Wishes) -> Wishes:
    """Combine what the headers and the body ask for; the narrower of two wins."""
    if other is NO_WISHES:
        return one
    return Wishes(
        timeout_s=min((s for s in (one.timeout_s, other.timeout_s) if s is not None), default=None),
        max_attempts=min((n for n in (one.max_attempts, other.max_attempts) if n is not None), default=None),
        retry=one.retry and other.retry,
        fallback=one.fallback and other.fallback,
        circuit_breaker=one.circuit_breaker and other.circuit_breaker,
        session=one.session or other.session,
        priority=one.priority,  # a body has no word for it
    )


def forwarded(headers: Headers) -> tuple[tuple[str, str], ...]:
    """Return the headers that may reach a provider."""
    return tuple([(name, headers[key].decode("latin-1")) for key, name in _FORWARDED if key in headers])


def _priority(headers: Headers) -> Priority:
    given = headers.get(b"x-wizard-priority")
    if given is None:
        return Priority.NORMAL
    found = _PRIORITIES.get(given.lower())
    if found is None:
        words = "'high', 'normal' or 'low'"
        raise GatewayError(INVALID_REQUEST, f"'x-wizard-priority' must be {words}.", param="x-wizard-priority")
    return found


def _is_sdk_retry(headers: Headers) -> bool:
    count = headers.get(b"x-stainless-retry-count", b"0")
    return count.isdigit() and len(count) <= _DIGITS_MAX and int(count) > 0


def _whole(headers: Headers, name: str, least: int, most: int) -> int | None:
    value = headers.get(name.encode())
    if value is None:
        return None
    if not (value.isdigit() and len(value) <= _DIGITS_MAX and least <= int(value) <= most):
        raise GatewayError(INVALID_REQUEST, f"{name!r} must be a whole number from {least} to {most}.", param=name)
    return int(value)
